use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8011)]
async fn hello(_: Invocation) {}
