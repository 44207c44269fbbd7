name = "extensionHello.sh", port
async fn hello(_: Invocation) {}
