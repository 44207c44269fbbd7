name = "extensionHello.sh", port = 8081
impl Hello<'static> {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {
        println!("{}", self.0);
    }
}
