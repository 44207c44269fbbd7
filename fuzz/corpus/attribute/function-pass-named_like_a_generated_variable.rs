name = "extensionHello.sh", port = 8081
async fn invocation(_: Invocation) {}
