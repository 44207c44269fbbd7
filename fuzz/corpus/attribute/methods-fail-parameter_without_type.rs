name = "extensionHello.sh", port = 8081
impl Hello {
    #[invoke]
    async fn on_invoke(&self, invocation) {}
}
