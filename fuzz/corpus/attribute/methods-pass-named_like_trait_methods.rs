name = "extensionHello.sh", port = 8081
impl Hello {
    #[init]
    async fn init(_: &Registration) -> Self {
        Self
    }

    #[invoke]
    async fn invoke(&self, _: Invocation) {}

    #[shutdown]
    async fn shutdown(&self) {}
}
