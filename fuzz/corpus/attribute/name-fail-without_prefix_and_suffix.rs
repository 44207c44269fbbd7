name = "demo", port = 8081
async fn hello(_: Invocation) {}
