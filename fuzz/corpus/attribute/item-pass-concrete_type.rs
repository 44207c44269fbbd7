name = "extensionHello.sh", port = 8081
impl Hello<String> {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
