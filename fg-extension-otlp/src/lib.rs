//! FunctionGraph's telemetry as OpenTelemetry's: spans, log records and metrics, by OTLP to any collector.
//!
//! [`Forwarder`] is all of it; `examples/otlp-forwarder` is the extension around it.
//!
//! # What becomes of what
//!
//! | telemetry (D 2711 to 2713) | OTLP |
//! | --- | --- |
//! | `platform.start`, `.runtimeDone`, `.report` | one span for the invocation: named by the function, kind server, its id that of the trace id (the 16 bytes of a UUID, or else a stable hash), `faas.*` and `cloud.*` attributes (`faas.trigger` is `other`: no event tells it), status error when the platform says so; sent when the report and `runtimeDone` have come |
//! | `platform.init…`, `platform.restore…` | a span `init` or `restore`, child of the invocation of its trace id, or else of the next one (?), for which it waits; `faas.coldstart` is true of `init` and of the first invocation after it, and false of all others |
//! | reports | `faas.invoke_duration`, `faas.init_duration`, `faas.mem_usage`, `faas.invocations` (successful ones), `faas.errors`, `faas.timeouts`, `faas.coldstarts`, cumulative |
//! | logs of the function and of extensions | log records; severity as the line says |
//! | what is not known | log records, so that nothing vanishes |
//! | the counters of the subscription, and of the exporter | `fg_extension.telemetry.*`, `fg_extension.otlp.*` |
//!
//! A report waits for a `runtimeDone` that it has overtaken until another invocation starts, or an event comes more than a
//! second later. An invocation that never ends is sent as far as it is known more than a second after a later one has
//! ended (unless several are known to run at once), or at the end. It is counted in `faas.invocations` or `faas.errors` only if its
//! `runtimeDone` or its report came, be it later; a failure told after the span was sent is counted, and is a log record of
//! severity error.
//!
//! A log record is bound to
//!
//! 1. the span that its body names by a W3C trace id *and* span id (`trace_id`, `span_id`), which is the function's own;
//! 2. or the invocation whose id the event, its record or the line has, if that is known;
//! 3. or the one invocation that runs, or of several the one that had started by the time of the record;
//! 4. or the invocation that the event itself names, or a line as the platform writes it.
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
