name = "extensionHello.sh", port = 8081, timeout = "1ms"
async fn hello(_: Invocation) {}
