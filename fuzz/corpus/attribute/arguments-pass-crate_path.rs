name = "extensionHello.sh", port = 8081, crate = sdk::fg_extension
async fn hello(_: Invocation) {}
