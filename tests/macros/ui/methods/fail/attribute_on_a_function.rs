use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
#[invoke]
async fn hello(_: Invocation) {}
