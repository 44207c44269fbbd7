use fg_extension::{Invocation, extension};

#[extension]
async fn hello(_: Invocation) {}
