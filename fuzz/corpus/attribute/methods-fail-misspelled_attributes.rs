name = "extensionHello.sh", port = 8081
impl Hello {
    #[invok]
    async fn on_invoke(&self, _: Invocation) {}

    #[shutdwon]
    async fn close(&self) {}
}
