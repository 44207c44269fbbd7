name = "extensionHello.sh", port = 8081, debug
async fn hello(_: Invocation) {}
