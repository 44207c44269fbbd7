name = "extensionHello.sh", port = 8081
fn hello(_: Invocation) {}
