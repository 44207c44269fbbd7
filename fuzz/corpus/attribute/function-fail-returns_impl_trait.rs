name = "extensionHello.sh", port = 8081
async fn hello(_: Invocation) -> impl Sized {}
