name = "extensionHello.sh", port = 8080
async fn hello(_: Invocation) {}
