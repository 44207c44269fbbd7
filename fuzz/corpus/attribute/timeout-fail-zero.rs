name = "extensionHello.sh", port = 8081, timeout = "0s"
async fn hello(_: Invocation) {}
