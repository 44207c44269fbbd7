use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh")]
async fn hello(_: Invocation) {}
