use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081, debug)]
async fn hello(_: Invocation) {}
