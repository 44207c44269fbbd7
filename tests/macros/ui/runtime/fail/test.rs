use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
#[tokio::test]
async fn hello(_: Invocation) {}
