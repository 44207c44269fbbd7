//! FunctionGraph's telemetry as OpenTelemetry's: spans, log records and metrics, over OTLP.

mod export;
mod translate;
