name = "extensionHello.sh", port = 8081
impl Hello {
    #[cfg(windows)]
    #[invoke]
    async fn on_invoke(&self, _: fg_extension::Invocation) {}
}
