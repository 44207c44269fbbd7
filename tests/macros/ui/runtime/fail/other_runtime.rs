use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
#[async_std::main]
async fn hello(_: Invocation) {}
