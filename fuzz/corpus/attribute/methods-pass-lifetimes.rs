name = "extensionHello.sh", port = 8081
impl Hello {
    #[invoke]
    async fn on_invoke<'a>(
        &'a self,
        _: Invocation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        println!("{}", self.0);
        Ok(())
    }
}
