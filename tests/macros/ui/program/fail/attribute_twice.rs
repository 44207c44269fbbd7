use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
#[extension(name = "extensionHello.sh", port = 8081)]
async fn hello(_: Invocation) {}
