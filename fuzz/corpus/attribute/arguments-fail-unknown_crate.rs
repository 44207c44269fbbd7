name = "extensionHello.sh", port = 8081, crate = ::fg_extensions
async fn hello(_: Invocation) {}
