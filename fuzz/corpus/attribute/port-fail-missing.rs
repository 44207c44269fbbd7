name = "extensionHello.sh"
async fn hello(_: Invocation) {}
