use fg_extension::{Invocation, extension};

#[extension(name = "", port = 8081)]
async fn hello(_: Invocation) {}
