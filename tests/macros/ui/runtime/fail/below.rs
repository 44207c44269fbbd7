use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
#[tokio::main]
async fn hello(_: Invocation) {}
