name = "extensionHello.sh", port = 8081
impl Hello {
    #[init]
    async fn connect(_: String) -> Self {
        Self
    }

    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
