name = "extensionHello.sh", port = 8081
#[invoke]
async fn hello(_: Invocation) {}
