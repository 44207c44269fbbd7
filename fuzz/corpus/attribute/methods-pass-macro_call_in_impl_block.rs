name = "extensionHello.sh", port = 8081
impl Hello {
    noted!(note);

    #[invoke]
    async fn on_invoke(&self, _: Invocation) {
        self.note();
    }
}
