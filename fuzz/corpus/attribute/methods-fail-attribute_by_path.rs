name = "extensionHello.sh", port = 8081
impl Hello {
    #[fg_extension::invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
