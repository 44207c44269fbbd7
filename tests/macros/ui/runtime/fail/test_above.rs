use fg_extension::{Invocation, extension};

#[tokio::test]
#[extension(name = "extensionHello.sh", port = 8081)]
async fn hello(_: Invocation) {}
