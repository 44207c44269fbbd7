name = "extensionHello.sh", port = 8081
async fn main(&self, _: Invocation) {}
