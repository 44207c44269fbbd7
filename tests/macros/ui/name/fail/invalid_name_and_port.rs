use fg_extension::{Invocation, extension};

#[extension(name = "demo", port = 80)]
async fn hello(_: Invocation) {}
