//! Forwards telemetry to an OpenTelemetry collector as spans, log records, and metrics.

use fg_extension::{Error, Invocation, Registration, TelemetryCounters, TelemetryEvent, extension};
use fg_extension_otlp::Forwarder;

struct OtlpForwarder {
    forwarder: Forwarder,
}

#[extension(name = "extensionOtlpForwarder.sh", port = 8085)]
impl OtlpForwarder {
    /// Called once, after the extension has registered. Telemetry that arrives before it returns is buffered.
    #[init]
    async fn start(registration: &Registration) -> Result<Self, Error> {
        Ok(Self {
            forwarder: Forwarder::init(registration)?,
        })
    }

    /// Called once for each invocation of the function. If invocations are rare, this waits until queued telemetry
    /// has been sent, for at most `FG_OTLP_FLUSH_TIMEOUT`.
    #[invoke]
    async fn on_invoke(&self, invocation: Invocation) {
        self.forwarder.invoke(&invocation).await;
    }

    /// Called with the events of one or more batches, in order of arrival. This queues them for export.
    #[telemetry(port = 8086, types(platform, function, extension))]
    async fn on_telemetry(&self, events: Vec<TelemetryEvent>, counters: &TelemetryCounters) {
        self.forwarder.telemetry(&events, counters).await;
    }

    /// Called once, at shutdown, after the last events have been delivered. This sends what is still queued.
    #[shutdown]
    async fn flush(&self) -> Result<(), Error> {
        self.forwarder.shutdown().await
    }
}
