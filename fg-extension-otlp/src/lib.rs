//! FunctionGraph's telemetry as OpenTelemetry's: spans, log records and metrics, by OTLP to any collector.
//!
//! [`Forwarder`] is all of it; `examples/otlp-forwarder` is the extension around it.
//!
//! # What becomes of what
//!
//! | telemetry (D 2711 to 2713) | OTLP |
//! | --- | --- |
//! | `platform.start`, `.runtimeDone`, `.report` | one span for the invocation, sent when its report comes: named by the function, kind server, its id that of the trace id (the 16 bytes of a UUID, or else a stable hash), `faas.*` and `cloud.*` attributes, status error when the platform says so |
//! | `platform.init…`, `platform.restore…` | a child span `init` or `restore`; `faas.coldstart` on both |
//! | reports | `faas.invoke_duration`, `faas.init_duration`, `faas.mem_usage`, `faas.invocations`, `faas.errors`, `faas.coldstarts`, cumulative |
//! | logs of the function and of extensions | log records, bound to the span by the event's trace id, or by the request ID in the line, or to the one invocation that runs; severity as the line says |
//! | what is not known | log records, so that nothing vanishes |
//! | the counters of the subscription, and of the exporter | `fg_extension.telemetry.*`, `fg_extension.otlp.*` |
//!
//! # Settings
//!
//! Those of the [OTLP exporter](https://opentelemetry.io/docs/specs/otel/protocol/exporter/), with their standard
//! effect: `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT`, `_COMPRESSION` (`gzip` unless set), `_CERTIFICATE`, and
//! those of one signal; `_PROTOCOL` has to be `http/protobuf`. `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
//! `OTEL_SDK_DISABLED`. And:
//!
//! | variable | default | effect |
//! | --- | --- | --- |
//! | `FG_OTLP_FLUSH` | `adaptive` | when to send: `end`, `periodic` or `adaptive` |
//! | `FG_OTLP_FLUSH_INTERVAL` | `5s` | between two periodic flushes |
//! | `FG_OTLP_FLUSH_TIMEOUT` | `400ms` | the longest that a flush may hold up an invocation, or the end |
//! | `FG_OTLP_BUFFER` | `4MiB` | how many bytes of spans and log records may wait; then the oldest are dropped, and counted |
//!
//! A process can be frozen between two invocations (D, best practice 05_1184), and what it has not sent by then may never
//! be. `end` sends what there is before an invocation is answered, and again, without anybody waiting, when its report
//! comes. `periodic` holds up nothing. `adaptive` is `end` while the function is called rarely: while the mean of the last
//! eight pauses between invocations is longer than the interval, or fewer than two invocations have come.
//!
//! A collector that is down or slow holds up an invocation by the flush's time-out at most, and only one of them: none waits
//! for one that is known to be down. What can be sent again is (status 429, 502, 503, 504, no connection, no answer), with
//! growing pauses or as `Retry-After` says; anything else that a collector refuses is dropped, counted and told. Connections
//! that were idle for three seconds are not trusted, since they may not have survived a freeze.

mod export;
mod forwarder;
mod translate;

pub use forwarder::Forwarder;
