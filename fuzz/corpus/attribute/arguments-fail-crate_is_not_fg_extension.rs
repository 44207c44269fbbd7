name = "extensionHello.sh", port = 8081, crate = sdk
async fn hello(_: sdk::Invocation) {}
