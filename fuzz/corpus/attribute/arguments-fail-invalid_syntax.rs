name = = "extensionHello.sh", port = 8081 8082, timeout = , ..
async fn hello(_: Invocation) {}
