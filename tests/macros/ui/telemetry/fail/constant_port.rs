use fg_extension::{TelemetryEvent, extension};

#[derive(Default)]
struct Hello;

const PORT: u16 = 9000;

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello {
    #[telemetry(port = PORT, types(platform))]
    async fn on_telemetry(&self, _: Vec<TelemetryEvent>) {}
}
