name = "extensionDemo", port = 8081
async fn hello(_: Invocation) {}
