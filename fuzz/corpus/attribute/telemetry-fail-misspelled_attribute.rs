name = "extensionHello.sh", port = 8081
impl Hello {
    #[telemtry]
    async fn on_telemetry(&self, _: Vec<TelemetryEvent>) {}
}
