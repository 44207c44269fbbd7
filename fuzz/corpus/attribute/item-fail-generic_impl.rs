name = "extensionHello.sh", port = 8081
impl<T: Send + 'static> Hello<T> {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
