name = "extensionHello.sh", port = 8081
impl Hello {
    #[invoke]
    async fn on_invoke(self: std::sync::Arc<Self>, _: Invocation) {}
}
