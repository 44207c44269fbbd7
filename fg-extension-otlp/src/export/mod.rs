//! Sends what was translated to a collector: OTLP over HTTP.
