name = "extensionHello.sh", port = 8081
impl fg_extension::Extension for Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
