//! FunctionGraph's telemetry as OpenTelemetry's: spans, log records and metrics, over OTLP.

#[expect(dead_code)]
mod export;
mod translate;
