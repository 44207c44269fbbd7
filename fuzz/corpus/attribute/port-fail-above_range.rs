name = "extensionHello.sh", port = 8091
async fn hello(_: Invocation) {}
