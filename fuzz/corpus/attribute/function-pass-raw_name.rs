name = "extensionHello.sh", port = 8081
async fn r#main(_: Invocation) {}
