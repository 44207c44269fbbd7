name = "extensionHello.sh", port = 8081
impl Hello {
    #[init]
    fn connect(_: &Registration) -> Self {
        Self
    }

    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
