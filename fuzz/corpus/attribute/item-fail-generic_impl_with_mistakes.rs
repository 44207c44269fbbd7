name = "extensionHello.sh", port = 8081
impl<T: Send + 'static> Hello<T> {
    #[invok]
    fn on_invoke(&self, _: Invocation) {}
}
