name = "extensionHello.sh", port = 8090
async fn hello(_: Invocation) {}
