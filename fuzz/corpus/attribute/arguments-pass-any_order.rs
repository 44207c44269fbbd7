port = 8081, timeout = "500ms", name = "extensionHello.sh",
async fn hello(_: Invocation) {}
