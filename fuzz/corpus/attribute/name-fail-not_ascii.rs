name = "extensionDémo.sh", port = 8081
async fn hello(_: Invocation) {}
