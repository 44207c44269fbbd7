use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port)]
async fn hello(_: Invocation) {}
