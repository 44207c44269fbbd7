name = "extensionHello.sh", port = 8081
impl Hello {
    #[init]
    async fn connect(_: &Registration, _: u8) -> Self {
        Self
    }

    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
