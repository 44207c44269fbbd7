name = "extensionHello.sh", port = 8081
impl Hello {
    #[telemetry(port = 8011, types(platform))]
    async fn on_telemetry(&self, _: Vec<TelemetryEvent>) {}
}
