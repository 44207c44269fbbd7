name = "extensionHello.sh", port = 8081
impl Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}

    #[cfg(windows)]
    #[telemetry(port = 8082, types(platform))]
    async fn on_telemetry(&self, _: Vec<fg_extension::TelemetryEvent>) {}
}
