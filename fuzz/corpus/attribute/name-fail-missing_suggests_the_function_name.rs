port = 8081
async fn night_watch(_: Invocation) {}
