//! Exports FunctionGraph telemetry to an OpenTelemetry collector as spans, log records, and metrics, over OTLP/HTTP.
//!
//! ```no_run
//! use fg_extension::{Error, Invocation, Registration, TelemetryCounters, TelemetryEvent, extension};
//! use fg_extension_otlp::Forwarder;
//!
//! struct OtlpForwarder {
//!     forwarder: Forwarder,
//! }
//!
//! #[extension(name = "extensionOtlpForwarder.sh", port = 8085)]
//! impl OtlpForwarder {
//!     #[init]
//!     async fn start(registration: &Registration) -> Result<Self, Error> {
//!         Ok(Self {
//!             forwarder: Forwarder::init(registration)?,
//!         })
//!     }
//!
//!     #[invoke]
//!     async fn on_invoke(&self, invocation: Invocation) {
//!         self.forwarder.invoke(&invocation).await;
//!     }
//!
//!     #[telemetry(port = 8086, types(platform, function, extension))]
//!     async fn on_telemetry(&self, events: Vec<TelemetryEvent>, counters: &TelemetryCounters) {
//!         self.forwarder.telemetry(&events, counters).await;
//!     }
//!
//!     #[shutdown]
//!     async fn flush(&self) -> Result<(), Error> {
//!         self.forwarder.shutdown().await
//!     }
//! }
//! ```
//!
//! [`Forwarder`] is the whole API. `examples/otlp-forwarder` is the program above, with a test.
//!
//! # How telemetry maps to OTLP
//!
//! | telemetry (D 2711 to 2713) | OTLP |
//! | --- | --- |
//! | `platform.start`, `platform.runtimeDone`, `platform.report` | one span per invocation |
//! | `platform.init…`, `platform.restore…` | an `init` or `restore` span, child of an invocation's span |
//! | reports | metrics `faas.invoke_duration`, `faas.init_duration`, `faas.mem_usage`, `faas.invocations` (successful invocations), `faas.errors`, `faas.timeouts`, `faas.coldstarts` |
//! | logs of the function and of extensions | log records |
//! | unknown events | log records, so that no event is lost |
//! | what the function's own SDK sends to the receiver | the same, with a complete resource |
//! | counters of the subscription, if `FG_OTLP_OWN_METRICS` is `true` | metrics `functiongraph.telemetry.*` |
//! | counters of the exporter, if `FG_OTLP_OWN_METRICS` is `true` | metrics `functiongraph.otlp.exported.spans`, `.dropped.spans` (the buffer was full), `.rejected.spans` (the collector rejected them permanently), and the same for `log_records` |
//!
//! ## Spans
//!
//! The span of an invocation is named after the function and has the kind `SERVER`. Its trace ID is the platform's
//! trace ID: the 16 bytes of a UUID, or a stable hash of any other text. Its span ID is the last 8 bytes of the trace
//! ID. It has `faas.*` and `cloud.*` attributes. `cloud.resource_id` contains the version instead of an alias, which is
//! the attribute `functiongraph.alias`. No event names the trigger, so `faas.trigger` is the value of
//! `FG_OTLP_TRIGGER`. The span is sent when both `runtimeDone` and `report` have arrived.
//!
//! The span's status is `Error` if an event has a `status` other than `success` *and* an `errorType` (I), which becomes
//! `error.type`, or if one of them says that the time limit was reached, such as `timeout` (I). Then `error.type` is
//! `timeout`, and the invocation is counted in `faas.timeouts` instead of `faas.errors`. Any other status is
//! undocumented and leaves the span's status unset: it counts as neither a success nor an error. In all these cases,
//! the attribute `functiongraph.status` holds the platform's status.
//!
//! An `init` or `restore` span is a child of the invocation with the same trace ID, or else of the next invocation (?),
//! and is sent after the span of that invocation. `faas.coldstart` is true for `init`, for the first invocation after
//! it, for an invocation whose report has `initDurationMs`, and for the first invocation of the instance (I) unless an
//! init belongs to another one. It is false for all other invocations.
//!
//! Another `startTime` for the same ID is another run of the invocation (?): a span with the same trace ID and another
//! span ID, which is counted separately.
//!
//! Events can arrive late or not at all:
//!
//! - A `report` that arrives before its `runtimeDone` waits for it until another invocation starts, or for one second.
//! - If the `report` is missing, the span ends at the time of `runtimeDone` if that is later than the start, or else
//!   after the duration in the platform's log line `Finish invoke request`, or else when `runtimeDone` arrived, which can
//!   be after a freeze. It is sent one second after `runtimeDone`. If the process was frozen in this time, it waits for
//!   one more second, because the platform may report an invocation only after the freeze (?). The same holds for an
//!   `init` or `restore`, which have no such line.
//! - If all events about the end of an invocation are missing, its span ends when a later invocation starts, and is sent
//!   one second after that invocation has ended (unless invocations are known to run concurrently), or at shutdown. The
//!   invocation is counted in `faas.invocations` or `faas.errors` only once its `runtimeDone` or `report` arrives.
//! - A failure that arrives after its span was sent is counted, and becomes a log record with the severity `ERROR`. An
//!   undocumented status that arrives after its span was sent becomes a log record without a severity.
//!
//! ## Traces of the function
//!
//! A span of an invocation *joins* the function's own trace: it keeps its span ID and takes the trace ID of the
//! function, and so do its `init` and `restore` and all log records from then on. It joins the first trace that a
//! received span, a received log record, or a line of the function names, or else the derived trace, which always wins,
//! since the function may have derived its parent from the ID of the invocation.
//!
//! - A received span belongs to the invocation that its attribute `faas.invocation_id` names (or `faas.execution`,
//!   `aws.request_id`), or whose ID is its trace ID, or else to the only one that was running when it started, or else
//!   to that of its trace.
//! - A received span is a local root if it has no parent or if its parent is in another process, according to its flags
//!   or, without flags, if its kind is `SERVER` or `CONSUMER`. In the trace that the invocation has joined, a local root
//!   without a parent becomes a child of the invocation's span, if that is sampled. A parent in another process becomes
//!   that of both.
//! - The invocation's span has links to at most 32 further traces. If it was sent before, in another trace, the local
//!   root has a link to it.
//! - A local root gets the attribute `faas.invocation_id` if it lacks that. Received log records get it, too, and those
//!   without a trace get the IDs of the invocation's span.
//!
//! ## Metrics
//!
//! Metrics are sent after platform events and at shutdown, if they have changed. Log records alone do not cause a
//! request for metrics; otherwise the forwarder's own log line about a failed request would cause the next request.
//!
//! - Metrics are cumulative by default. The counters are first sent as zeros, in the background during the first
//!   invocation. A series that is new later, such as one for another `error.type`, starts with a second data point in the
//!   same request: a zero just before the first value. So `increase()` in Prometheus, which ignores start times, counts
//!   the first value.
//! - `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` selects changes instead (`delta`), which Datadog and Dynatrace
//!   require. `lowmemory` is the same, except that the metrics about the forwarder itself stay cumulative. What was in a
//!   request that failed is part of the next one. Data points that the collector rejects permanently are lost, and
//!   counted as rejected. Cumulative values that are rejected are part of the next ones.
//! - `faas.errors`, `faas.invoke_duration`, and `faas.init_duration` have the attribute `error.type` for failures. After
//!   32 different types, and for a type of more than 256 bytes, it is `_OTHER`. Timeouts are counted in `faas.timeouts`,
//!   not in `faas.errors`.
//!
//! ## Resource
//!
//! The resource describes the instance of the function, with `service.*`, `faas.*`, and `cloud.*` attributes. The region
//! and the account are part of the URN, which is only known from the first invocation. Backends keep the telemetry of
//! different resources apart, so all data is held until then: for at most 10 s in which the process runs, until half of
//! the buffer is full or 1 MiB of one signal waits, or until the shutdown. From the first request on, the resource stays
//! the same.
//!
//! Resources of telemetry that the function sends gain the attributes that they lack. `unknown_service` as a name, which
//! SDKs use if no name is set, is replaced.
//!
//! ## Log records
//!
//! The body is the line or the object as it came. The rest is what a person reads in it:
//!
//! - The severity is the level at the start of a line, in the formats of common loggers, or that of a JSON object, also if
//!   the object follows the header of a logger or the platform's prefix `<time>Z <id> INFO`. Its text keeps the spelling of
//!   the logger. A word in a sentence is not a level. The numbers are those of appendix B of the log data model:
//!   `CRITICAL` is `ERROR2`, except for .NET, zap's `dpanic` and `panic` are `ERROR2` and `ERROR3`. An uncaught
//!   exception or a stack trace has a number, but no text.
//! - The timestamp is the time that the logger wrote, in RFC 3339 or a similar format with a zone, or as the time since
//!   1970 in seconds, milliseconds, microseconds or nanoseconds. Otherwise it is the time of the event. A time without a zone
//!   is ambiguous, and does not count.
//! - Colors of terminals do not count.
//!
//! The invocation is the first of these that exists. `faas.invocation_id` has the platform's spelling of its ID.
//!
//! 1. a known invocation whose ID is in the event, at the start of the line, or in a field of the record, such as
//!    `requestId`, `aws_request_id` or `ctx.requestId`, in any spelling;
//! 2. the invocation ID in a field of the event itself, or in a line that has the platform's format;
//! 3. an open invocation whose ID is anywhere in the line or the record;
//! 4. the only running invocation or, if several are running, the only one that had started by the time of the record.
//!
//! A record with a W3C trace ID belongs to that trace, and to the span whose ID is beside it: `trace_id` and `span_id`,
//! `traceId`, `otelTraceID`, `trace.id`, `traceparent`, in any spelling, in a nested object such as `mdc`, or in a text, such
//! as `[trace_id=… span_id=…]`. Any other record belongs to the span of its invocation.
//!
//! # The receiver
//!
//! The forwarder receives the telemetry of the function's own SDK over OTLP/HTTP at `FG_OTLP_RECEIVER`, as protobuf or
//! JSON, compressed with gzip or not. Received data is queued, sent, retried, and counted like the forwarder's own. It is
//! sent in the same requests, after the forwarder's own data.
//!
//! - A received resource keeps its attributes, except for a `service.name` that an SDK made up (`unknown_service…`). It
//!   gets those of the forwarder's resource that it lacks, except `telemetry.sdk.*`.
//! - A request is rejected with status 503 and `Retry-After: 1` if three others are being received for a second, or if
//!   more than half of the buffer is in use for a second, unless the collector is down.
//! - A request is rejected with status 413 if it is larger than half of the buffer or 16 MiB, also when it has been
//!   decompressed, or if it would take more than eight times as much memory when it is decoded.
//! - A request with a trace ID or a span ID of a wrong length is rejected with status 400, because a collector would
//!   reject everything that is sent with it.
//! - A signal that is not exported is accepted and dropped, because SDKs log an error for each request that is rejected.
//! - At most 64 connections are open; if there are more, the one that was opened first and is idle is closed. They have
//!   no timeouts, so a freeze does not break them. The body of a request must arrive within 10 s.
//! - [`Forwarder::shutdown`] closes the receiver before its flush, so that the flush includes what has arrived.
//!
//! If the address is in use, a warning is logged, and the function's telemetry is not received. If the address is also the
//! endpoint of the export, an error is logged, and the signals with that endpoint are not exported. This is the case if no
//! endpoint is set, because the default endpoint of exporters is the default address of the receiver.
//!
//! # Limits
//!
//! Decoded JSON takes much more memory than its text, so its size is limited:
//!
//! - A body of more than 64 KiB, or with more than 4,096 values, is a string that contains its JSON. If the other fields
//!   of a log exceed these limits, the body contains the whole event. A platform event that exceeds them becomes a log
//!   record instead of a part of a span. Of a log that is too long, the level, the time, and the IDs are looked for in its
//!   first 64 fields of at most 1 KiB each, if they are in the first 64 KiB.
//! - A body that is a string is cut after 1 MiB, and the attribute `functiongraph.log.original_length` has the number of
//!   bytes before that. The ID of an invocation is looked for in the first 64 KiB, a trace ID in the first 4 KiB, and the
//!   severity in the first 1 KiB.
//! - The oldest open spans are sent early if there are more than 1,024, or if they take more than 1 MiB of memory.
//! - 1,024 sent spans and 2,048 traces of the function are remembered, for what belongs to them and arrives later; so
//!   are 16 traces that arrived before anything about their invocation.
//!
//! # Settings
//!
//! The standard settings of an [OTLP exporter](https://opentelemetry.io/docs/specs/otel/protocol/exporter/) have their
//! standard effect: `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT` (at most one hour), `_COMPRESSION` (default:
//! `gzip`), `_CERTIFICATE`, `_CLIENT_CERTIFICATE`, `_CLIENT_KEY`, `_PROTOCOL` (only `http/protobuf`), and their variants
//! for one signal;
//! `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, and `OTEL_LOGS_EXPORTER` (`otlp`, or `none` to disable the signal);
//! `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, and `OTEL_SDK_DISABLED`.
//! With `OTEL_SDK_DISABLED=true`, the forwarder sends no data, but the extension still subscribes to telemetry.
//!
//! An invalid standard setting is ignored with a warning in the log, because it may be meant for an SDK inside the
//! function. If that leaves a signal without an endpoint or without trusted certificates, an error is logged and the
//! signal is disabled; the other signals and the extension keep working.
//!
//! A header may contain a secret that the secrets cache beside the function has: `authorization=Bearer%20${secret:api-key}`.
//! The forwarder gets it from `FG_SECRETS_ADDRESS`, again when it is older than a minute, and at once when the collector responds
//! with status 401 or 403. A value that has changed by then is sent in a second request. Data is buffered while a secret
//! cannot be had. An invalid reference is an error of [`Forwarder::init`].
//!
//! These settings of an SDK are honored, too:
//!
//! - `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, as described above.
//! - `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`: `always_on`, `always_off`, `traceidratio`, and the same with
//!   `parentbased_`. The span of an invocation that has joined the function's trace follows the decision of the
//!   function's tracer if the sampler is based on the parent. Otherwise it compares the last eight bytes of the trace ID
//!   with the ratio, as SDKs do. For other invocations, all bytes of the ID count, because those of a UUID are not evenly
//!   distributed. Metrics count all invocations.
//! - `OTEL_ATTRIBUTE_COUNT_LIMIT`, `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`, and their variants for spans (`OTEL_SPAN_…`) and
//!   log records (`OTEL_LOGRECORD_…`). Attributes that start with `functiongraph.` are dropped first, and counted in
//!   `dropped_attributes_count`. Received data is not limited.
//!
//! Other settings of an SDK, such as `OTEL_BSP_SCHEDULE_DELAY`, have no effect on the forwarder. Those that are set are
//! named in one line with the level `WARN`.
//!
//! Settings that many programs read have their usual effect, too: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, and
//! `NO_PROXY`, in upper or lower case, and `SSL_CERT_FILE`. Only proxies with an `http://` URL are supported. An endpoint
//! on a loopback address has no proxy.
//!
//! These settings are specific to this crate. If one is invalid, [`Forwarder::init`] fails:
//!
//! - `FG_OTLP_ENDPOINT`: the base URL of the collector for all signals. It overrides `OTEL_EXPORTER_OTLP_ENDPOINT` and the
//!   endpoints of single signals, which an SDK in the function may need for itself.
//! - `FG_OTLP_RECEIVER`: the loopback address of the receiver, or `off` (default: `127.0.0.1:4318`).
//! - `FG_OTLP_FLUSH`: when to send data: `end`, `periodic`, or `adaptive` (default: `adaptive`).
//! - `FG_OTLP_FLUSH_INTERVAL`: the time between two periodic flushes (default: `5s`).
//! - `FG_OTLP_FLUSH_TIMEOUT`: the longest time that a flush may delay an invocation (default: `400ms`). The flush at
//!   shutdown may take three times as long, or one second if that is longer.
//! - `FG_OTLP_BUFFER`: the size of the buffer for spans, log records, and received metrics (default: `4MiB`). When it is
//!   full, the oldest are dropped and counted.
//! - `FG_OTLP_OWN_METRICS`: `true` to send the metrics about the forwarder itself (default: `false`).
//! - `FG_OTLP_TRIGGER`: the value of `faas.trigger` on spans and metrics, since no event names the trigger: `datasource`,
//!   `http`, `pubsub`, `timer`, or `other` (default: none).
//!
//! # When data is sent
//!
//! The platform can freeze the process between two invocations (D, best practice 05_1184), and data that has not been
//! sent by then may never be sent.
//!
//! - `end` sends all queued data before the response to an invocation, and again, without delaying any invocation,
//!   whenever telemetry arrives or is received from the function.
//! - `periodic` sends every `FG_OTLP_FLUSH_INTERVAL` and delays no invocation. Data that arrives between the last flush
//!   and a freeze waits until the next invocation thaws the process, or until shutdown. It is lost if neither happens,
//!   or if the platform kills the process without a signal.
//! - `adaptive` behaves like `end` while invocations are rare: until eight intervals between invocations have been
//!   measured, and while the mean of the last eight is longer than `FG_OTLP_FLUSH_INTERVAL`. Otherwise it behaves like
//!   `periodic`.
//!
//! A flush delays an invocation by at most `FG_OTLP_FLUSH_TIMEOUT`. After a signal has delayed an invocation for that
//! long, later invocations do not wait for it until one of its flushes completes within the timeout. They also do not
//! wait for a signal whose last request failed, until a retry in the background succeeds. So a collector that is down
//! or slow all the time delays at most one invocation for each of the three signals, and usually one for all three. A
//! collector that is slow from time to time delays one invocation each time.
//!
//! # Back pressure and retries
//!
//! If telemetry arrives faster than the collector accepts it, the forwarder applies back pressure: when more than half
//! of its buffer is in use, [`Forwarder::telemetry`] waits, so the subscription's buffer (`FG_TELEMETRY_BUFFER`) fills
//! and the platform is asked to retry. While the collector is down, `telemetry` does not wait, and the oldest data is
//! dropped.
//!
//! A request is retried after a status of 429, 502, 503, or 504, after a connection failure, and if there is no
//! response. The pause between retries grows up to 5 s, or up to 500 ms at shutdown, and includes a random part, so
//! that clients do not retry all at once. The last attempt of the shutdown starts 250 ms before the end of its time. A
//! `Retry-After` header is honored up to five minutes. Data that the collector rejects with any other status is not
//! sent again, and is counted as rejected. There are three exceptions:
//!
//! - After a status of 413, a batch is sent again in halves, down to single records or 4 KiB, and later batches of the
//!   signal are not larger than the parts.
//! - After a status of 415, a compressed batch is sent again without compression, as are all later ones of the signal.
//! - A successful response with a web page (`text/html`) does not come from an OTLP endpoint, so the data is rejected.
//!
//! Redirects are not followed, because that would send credentials to another host.
//!
//! The result of a request is known as soon as the status of the response has arrived. Its body may take another 2 s;
//! after that, it is treated as empty. A connection that was idle for more than three seconds is not reused, because it
//! may not have survived a freeze.
//!
//! The time in which the process is frozen does not count towards any timeout. However, if the timeout of a request has
//! passed when the process thaws, the response must arrive within another second.
//!
//! Problems are logged at most once a second, each time with all counters so far.

// Library code never panics, prints or exits (CONTRIBUTING.md).
#![warn(
    clippy::exit,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::todo,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod config;
mod delivery;
mod diagnostic;
mod export;
mod forwarder;
/// The fuzz target of this crate.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    pub use crate::export::fuzzing::otlp_bodies;
    pub use crate::receiver::fuzzing::otlp_received;
}
mod limits;
mod overdue;
mod own_metrics;
mod receiver;
mod rpc_status;
mod shown_url;
mod signal;
mod translate;
mod turn;

pub use forwarder::Forwarder;
