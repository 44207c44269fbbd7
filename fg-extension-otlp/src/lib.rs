//! FunctionGraph's telemetry as OpenTelemetry's: spans, log records and metrics, over OTLP.

mod export;
// Until the extension calls it.
#[cfg_attr(not(test), expect(dead_code))]
mod translate;
