name = "extensionHello.sh", port = 8081
impl Hello {
    #[cfg(unix)]
    #[init]
    async fn on_unix() -> Self {
        Self
    }

    #[cfg(not(unix))]
    #[init]
    async fn elsewhere() -> Self {
        Self
    }

    #[cfg(windows)]
    #[invoke]
    async fn on_windows(&self, _: fg_extension::Invocation) {}

    #[cfg(target_os = "macos")]
    #[invoke]
    async fn on_macos(&self, _: fg_extension::Invocation) {}

    #[cfg(not(windows))]
    #[telemetry(port = 8082, types(platform))]
    async fn on_telemetry(&self, _: Vec<TelemetryEvent>) {}

    #[cfg(windows)]
    #[telemetry(port = 8083, types(platform))]
    async fn on_telemetry(&self, _: Vec<TelemetryEvent>) {}
}
