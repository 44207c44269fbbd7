name = "extensionHello.sh", port = 8081, port = 8082
async fn hello(_: Invocation) {}
