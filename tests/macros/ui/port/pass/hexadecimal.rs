use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 0x1f95)]
async fn hello(_: Invocation) {}
