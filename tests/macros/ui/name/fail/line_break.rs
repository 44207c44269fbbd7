use fg_extension::{Invocation, extension};

#[extension(name = "extensionDemo\n.sh", port = 8081)]
async fn hello(_: Invocation) {}
