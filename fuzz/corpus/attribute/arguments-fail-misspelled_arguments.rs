nme = "extensionHello.sh", prot = 8081, timout = "2s", crat = ::fg_extension
async fn hello(_: Invocation) {}
