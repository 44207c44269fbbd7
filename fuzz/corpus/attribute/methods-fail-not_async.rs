name = "extensionHello.sh", port = 8081
impl Hello {
    #[invoke]
    fn on_invoke(&self, _: Invocation) {}

    #[shutdown]
    fn close(&self) {}
}
