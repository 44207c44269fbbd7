name = "extensionHello.sh", port = 8011
async fn hello(_: Invocation) {}
