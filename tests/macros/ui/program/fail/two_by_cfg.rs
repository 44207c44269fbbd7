use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
#[cfg(unix)]
async fn hello(_: Invocation) {}

#[extension(name = "extensionBye.sh", port = 8082)]
#[cfg(target_pointer_width = "64")]
async fn bye(_: Invocation) {}
