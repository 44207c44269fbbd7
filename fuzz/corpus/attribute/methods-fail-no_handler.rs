name = "extensionHello.sh", port = 8081
impl Hello {
    fn help(&self) {}
}
