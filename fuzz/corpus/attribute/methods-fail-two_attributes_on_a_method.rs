name = "extensionHello.sh", port = 8081
impl Hello {
    #[invoke]
    #[shutdown]
    async fn on_invoke(&self, _: Invocation) {}
}
