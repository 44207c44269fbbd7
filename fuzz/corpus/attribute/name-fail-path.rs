name = "extension/extensionDemo.sh", port = 8081
async fn hello(_: Invocation) {}
