name = "extensionDemo\n.sh", port = 8081
async fn hello(_: Invocation) {}
