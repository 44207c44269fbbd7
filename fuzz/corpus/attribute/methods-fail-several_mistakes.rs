name = "extensionHello.sh", port = 8081
impl Hello {
    #[init]
    fn connect() -> u32 {
        0
    }

    #[invoke]
    async fn on_invoke(&self, _: &Invocation) -> u8 {
        0
    }

    #[invoke]
    fn on_event(&mut self, _: u32) {}

    #[shutdown]
    async fn flush(&mut self, _: u8) {}
}
