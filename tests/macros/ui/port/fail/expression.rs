use fg_extension::{Invocation, extension};

const FIRST: u16 = 8081;

#[extension(name = "extensionHello.sh", port = FIRST + 10)]
async fn hello(_: Invocation) {}
