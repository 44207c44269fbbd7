name = "extensionHello.sh", port = 8081
impl Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}

    #[invoke]
    async fn on_event(&self, _: Invocation) {}
}
