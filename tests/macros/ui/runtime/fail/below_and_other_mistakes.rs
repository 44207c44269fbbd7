use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8080)]
#[tokio::main]
async fn hello() {}
