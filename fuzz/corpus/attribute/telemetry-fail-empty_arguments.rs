name = "extensionHello.sh", port = 8081
impl Hello {
    #[telemetry()]
    async fn on_telemetry(&self, _: Vec<TelemetryEvent>) {}
}
