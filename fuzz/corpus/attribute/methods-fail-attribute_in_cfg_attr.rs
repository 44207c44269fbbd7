name = "extensionHello.sh", port = 8081
impl Hello {
    #[cfg_attr(unix, invoke)]
    async fn on_invoke(&self, _: Invocation) {}
}
