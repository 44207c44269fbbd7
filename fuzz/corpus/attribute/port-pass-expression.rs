name = "extensionHello.sh", port = if cfg!(windows) { 8090 } else { ports::of(4) }
async fn hello(_: Invocation) {}
