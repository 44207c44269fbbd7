use fg_extension::{Invocation, extension};

use tokio::main;

#[extension(name = "extensionHello.sh", port = 8081)]
#[main]
async fn hello(_: Invocation) {}
