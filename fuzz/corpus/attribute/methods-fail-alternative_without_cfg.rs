name = "extensionHello.sh", port = 8081
impl Hello {
    #[cfg(unix)]
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}

    #[invoke]
    async fn always(&self, _: Invocation) {}
}
