name = "extensionHello.sh", port = 8081, crate = "fg_extension"
async fn hello(_: Invocation) {}
