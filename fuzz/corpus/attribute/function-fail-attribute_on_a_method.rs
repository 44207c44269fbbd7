name = "extensionHello.sh", port = 8081
    async fn hello(&self, _: Invocation) -> String {
        self.greeting.to_owned()
    }
}
