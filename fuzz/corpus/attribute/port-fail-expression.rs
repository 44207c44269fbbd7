name = "extensionHello.sh", port = FIRST + 10
async fn hello(_: Invocation) {}
