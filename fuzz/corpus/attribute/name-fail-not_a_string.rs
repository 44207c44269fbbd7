name = 8081, port = 8081
async fn hello(_: Invocation) {}
