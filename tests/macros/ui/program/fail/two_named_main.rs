use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
async fn main(_: Invocation) {}

#[extension(name = "extensionBye.sh", port = 8082)]
async fn main(_: Invocation) {}
