name = r"extension-night_watch 2.sh", port = 8081
async fn hello(_: Invocation) {}
