name = "extensionHello.sh", port = 8081, timeout = 2
async fn hello(_: Invocation) {}
