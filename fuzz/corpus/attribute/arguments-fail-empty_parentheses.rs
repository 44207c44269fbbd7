
async fn hello(_: Invocation) {}
