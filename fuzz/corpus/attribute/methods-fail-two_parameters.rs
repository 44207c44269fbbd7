name = "extensionHello.sh", port = 8081
impl Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation, _: u8) {}

    #[shutdown]
    async fn close(&self, _: u8, _: u8) {}
}
