use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081, crate = "fg_extension")]
async fn hello(_: Invocation) {}
