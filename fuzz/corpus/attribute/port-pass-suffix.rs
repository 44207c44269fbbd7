name = "extensionHello.sh", port = 8_085u16
async fn hello(_: Invocation) {}
