name = "extensionHello.sh", port = 8081.0
async fn hello(_: Invocation) {}
