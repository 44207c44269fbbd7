name = "extensionHello.sh", port = 8081
impl Hello {
    #[invoke(port = 8081)]
    async fn on_invoke(&self, _: Invocation) {}
}
