use fg_extension::{Invocation, extension};

// rustfmt would remove the trailing comma.
#[rustfmt::skip]
#[extension(port = 8081, timeout = "500ms", name = "extensionHello.sh",)]
async fn hello(_: Invocation) {}
