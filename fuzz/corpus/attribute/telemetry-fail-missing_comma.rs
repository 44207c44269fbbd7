name = "extensionHello.sh", port = 8081
impl Hello {
    #[telemetry(port = 8082 types(platform; function))]
    async fn on_telemetry(&self, _: Vec<TelemetryEvent>) {}
}
