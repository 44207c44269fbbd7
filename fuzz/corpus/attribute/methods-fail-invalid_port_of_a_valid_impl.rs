name = "extensionHello.sh", port = 8091
impl Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}

    fn help() {}
}
