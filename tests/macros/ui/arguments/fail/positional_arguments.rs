use fg_extension::{Invocation, extension};

#[extension("extensionHello.sh", 8081)]
async fn hello(_: Invocation) {}
