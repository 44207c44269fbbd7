name = "extensionHello.sh", port = 8081
async fn hello(invocation) {}
