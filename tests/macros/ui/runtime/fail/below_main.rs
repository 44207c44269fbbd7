use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
#[tokio::main(flavor = "current_thread")]
async fn main(_: Invocation) {}
