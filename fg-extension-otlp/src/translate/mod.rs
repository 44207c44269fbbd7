//! Makes spans, log records and metrics of telemetry events, without I/O.
