name = "extensionHello.sh", port = 0x1f95
async fn hello(_: Invocation) {}
