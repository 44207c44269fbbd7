use fg_extension::{Invocation, extension};

#[cfg(unix)]
#[extension(name = "extensionHello.sh", port = 8081)]
async fn hello(_: Invocation) {}

#[cfg(not(unix))]
#[extension(name = "extensionBye.sh", port = 8082)]
async fn bye(_: Invocation) {}
