name = "extensionHello.sh", port = Self::PORT
impl Hello {
    const PORT: u16 = 8081;

    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}

    #[telemetry(port = Self::PORT + 1, types(platform))]
    async fn on_telemetry(&self, _: Vec<TelemetryEvent>) {}
}
