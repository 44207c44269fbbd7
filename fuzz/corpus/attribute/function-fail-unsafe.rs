name = "extensionHello.sh", port = 8081
async unsafe fn hello(_: Invocation) {}
