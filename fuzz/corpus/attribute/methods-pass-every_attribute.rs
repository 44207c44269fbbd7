name = "extensionHello.sh", port = 8081
impl Hello {
    const GREETING: &str = "hello";

    #[init]
    async fn connect(registration: &Registration) -> Result<Self, Error> {
        Ok(Self {
            function: registration.function_name.clone(),
        })
    }

    #[invoke]
    async fn on_invoke(&self, invocation: Invocation) -> Result<(), Error> {
        let name = invocation.invoked_function_urn.name();
        self.greet(name.or(self.function.as_deref()).ok_or("no name")?);
        Ok(())
    }

    fn greet(&self, name: &str) {
        println!("{} {name}", Self::GREETING);
    }

    #[telemetry(port = 8082, types(platform, function, extension))]
    async fn on_telemetry(&self, events: Vec<TelemetryEvent>) {
        println!("{} events", events.len());
    }

    #[shutdown]
    async fn flush(&self) -> Result<(), std::io::Error> {
        Ok(())
    }
}
