name = "extensionHello.sh", port = 8081
impl Hello {
    #[init]
    async fn connect(_: &Registration) -> Result<u8, String> {
        Ok(0)
    }

    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
