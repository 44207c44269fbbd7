//! Forwards telemetry to an OpenTelemetry collector: spans, log records and metrics, by OTLP.

use fg_extension::{Error, Invocation, Registration, TelemetryCounters, TelemetryEvent, extension};
use fg_extension_otlp::Forwarder;

struct OtlpForwarder {
    forwarder: Forwarder,
}

#[extension(name = "extensionOtlpForwarder.sh", port = 8085)]
impl OtlpForwarder {
    #[init]
    async fn start(registration: &Registration) -> Result<Self, Error> {
        Ok(Self {
            forwarder: Forwarder::init(registration)?,
        })
    }

    /// While the function is called rarely, what there is so far is sent before this returns, unless that takes long.
    #[invoke]
    async fn on_invoke(&self, invocation: Invocation) {
        self.forwarder.invoke(&invocation).await;
    }

    #[telemetry(port = 8086, types(platform, function, extension))]
    async fn on_telemetry(&self, events: Vec<TelemetryEvent>, counters: &TelemetryCounters) {
        self.forwarder.telemetry(&events, counters).await;
    }

    #[shutdown]
    async fn flush(&self) -> Result<(), Error> {
        self.forwarder.shutdown().await
    }
}
