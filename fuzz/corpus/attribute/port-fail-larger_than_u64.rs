name = "extensionHello.sh", port = 99999999999999999999999
async fn hello(_: Invocation) {}
