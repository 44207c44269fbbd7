//! Forwards telemetry to an OpenTelemetry collector: spans, log records and metrics, by OTLP.

use fg_extension::{Error, Invocation, Registration, TelemetryEvent, extension};
use fg_extension_otlp::Forwarder;

struct OtlpForwarder(Forwarder);

#[extension(name = "extensionOtlpForwarder.sh", port = 8085)]
impl OtlpForwarder {
    #[init]
    async fn start(registration: &Registration) -> Result<Self, Error> {
        Ok(Self(Forwarder::from_env(registration)?))
    }

    /// While the function is called rarely, what there is so far is sent before this returns, unless that takes long.
    #[invoke]
    async fn on_invoke(&self, invocation: Invocation) {
        self.0.invoke(&invocation).await;
    }

    #[telemetry(port = 8086, types(platform, function, extension))]
    async fn on_telemetry(&self, events: Vec<TelemetryEvent>) {
        self.0.telemetry(&events).await;
    }

    #[shutdown]
    async fn flush(&self) -> Result<(), Error> {
        self.0.shutdown().await
    }
}
