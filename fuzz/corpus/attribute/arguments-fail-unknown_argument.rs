name = "extensionHello.sh", port = 8081, color = "red"
async fn hello(_: Invocation) {}
