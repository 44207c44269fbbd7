name = "extensionHello.sh", port = 8081i32
async fn hello(_: Invocation) {}
