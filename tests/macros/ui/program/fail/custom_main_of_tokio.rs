use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
async fn hello(_: Invocation) {}

#[tokio::main]
async fn main() {}
