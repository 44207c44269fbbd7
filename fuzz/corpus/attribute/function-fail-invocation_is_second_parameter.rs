name = "extensionHello.sh", port = 8081
async fn hello(_: u32, _: Invocation) {}
