name = "extensionHello.sh", port = 8081
impl Hello {
    #[on_invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
