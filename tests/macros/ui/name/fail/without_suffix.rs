use fg_extension::{Invocation, extension};

#[extension(name = "extensionDemo", port = 8081)]
async fn hello(_: Invocation) {}
