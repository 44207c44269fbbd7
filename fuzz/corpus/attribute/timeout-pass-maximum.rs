name = "extensionHello.sh", port = 8081, timeout = "1h"
async fn hello(_: Invocation) {}
