use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081, timeout = "soon")]
async fn hello(_: Invocation) {}
