name = "extensionHello.sh", port = PORT
async fn hello(_: Invocation) {}
