name = "extensionHello.sh", port = 8081, timeout = "2min"
async fn hello(_: Invocation) {}
