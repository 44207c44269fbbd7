use fg_extension::{Invocation, extension};

const PORT: u16 = 8011;

#[extension(name = "extensionHello.sh", port = PORT)]
async fn hello(_: Invocation) {}
