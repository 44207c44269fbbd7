use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
#[cfg(unix)]
async fn hello(_: Invocation) {}

#[extension(name = "extensionBye.sh", port = 8082)]
#[cfg(not(unix))]
async fn bye(_: Invocation) {}

#[extension(name = "extensionOther.sh", port = 8083)]
#[cfg_attr(unix, cfg(not(unix)))]
async fn other(_: Invocation) {}
