name = "extensionHello.sh", port = 8081
impl Hello {
    #[telemetry(port = 8081, types(extension, function))]
    async fn on_telemetry(&self, _: Vec<TelemetryEvent>) {}
}
