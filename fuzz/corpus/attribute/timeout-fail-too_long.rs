name = "extensionHello.sh", port = 8081, timeout = "2h"
async fn hello(_: Invocation) {}
