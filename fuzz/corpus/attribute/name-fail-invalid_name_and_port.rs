name = "demo", port = 80
async fn hello(_: Invocation) {}
