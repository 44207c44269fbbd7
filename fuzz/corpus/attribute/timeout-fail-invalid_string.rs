name = "extensionHello.sh", port = 8081, timeout = "soon"
async fn hello(_: Invocation) {}
