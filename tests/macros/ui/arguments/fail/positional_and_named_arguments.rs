use fg_extension::{Invocation, extension};

#[extension("extensionHello.sh", port = 8081)]
async fn hello(_: Invocation) {}
