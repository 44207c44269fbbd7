use fg_extension::{Invocation, extension};

#[extension(name = "ExtensionDemo.sh", port = 8081)]
async fn hello(_: Invocation) {}
