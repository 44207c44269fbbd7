name = "extensionHello.sh", port = Self
impl Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}

    #[telemetry(port = [Self, Self::PORT][0], types(platform))]
    async fn on_telemetry(&self, _: Vec<TelemetryEvent>) {}
}
