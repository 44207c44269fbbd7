//! FunctionGraph's telemetry as OpenTelemetry's: spans, log records and metrics, over OTLP.

#[cfg_attr(not(test), expect(dead_code, unused_imports))] // Until the extension itself uses it.
mod export;
mod translate;
