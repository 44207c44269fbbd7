"extensionHello.sh", 8081
async fn hello(_: Invocation) {}
