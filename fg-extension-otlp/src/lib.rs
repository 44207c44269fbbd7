//! FunctionGraph's telemetry as OpenTelemetry's: spans, log records and metrics, by OTLP to any collector.
//!
//! [`Forwarder`] is all of it; `examples/otlp-forwarder` is the extension around it.
//!
//! # What becomes of what
//!
//! | telemetry (D 2711 to 2713) | OTLP |
//! | --- | --- |
//! | `platform.start`, `.runtimeDone`, `.report` | one span for the invocation: named by the function, kind server, its id that of the trace id (the 16 bytes of a UUID, or else a stable hash), `faas.*` and `cloud.*` attributes (`faas.trigger` is `other`: no event says it); the status is unset unless an event has a `status` other than `success` *and* an `errorType` (I), which make it an error: a `status` that no document names is an attribute (`functiongraph.status`), neither success nor failure; sent when the report and `runtimeDone` have come |
//! | `platform.init…`, `platform.restore…` | a span `init` or `restore`, child of the invocation of its trace id, or else of the next one (?), for which it waits; `faas.coldstart` is true of `init` and of the first invocation after it, and false of all others |
//! | reports | `faas.invoke_duration`, `faas.init_duration`, `faas.mem_usage`, `faas.invocations` (successful ones), `faas.errors`, `faas.coldstarts`, cumulative |
//! | logs of the function and of extensions | log records; severity as the line says |
//! | what is not known | log records, so that nothing vanishes |
//! | the counters of the subscription | `fg_extension.telemetry.*` |
//! | those of the exporter | `fg_extension.otlp.exported.spans`, `.dropped.spans` (for want of room), `.rejected.spans` (by the collector, for good), and the same of `log_records`; what waits has no metric |
//!
//! Metrics are sent after platform events and at the end, with all counters as they are then. Log records alone are no
//! reason to: a line of our own about a request that failed shall not cause the next one.
//!
//! A report waits for a `runtimeDone` that it has overtaken until another invocation starts, or an event comes more than a
//! second later. An invocation that never ends is sent as far as it is known more than a second after a later one has
//! ended (unless several are known to run at once), or at the end. It is counted in `faas.invocations` or `faas.errors` only if its
//! `runtimeDone` or its report came, be it later; a failure that comes after the span was sent is counted, and is a log
//! record of severity error; a status that no document names is then a log record without severity.
//!
//! A log record is bound to
//!
//! 1. the span that its body names by a W3C trace id *and* span id (`trace_id`, `span_id`), which is the function's own;
//! 2. or the invocation whose id the event, its record or the line has, if that is known;
//! 3. or the invocation that the event itself names, or a line as the platform writes it;
//! 4. or the one invocation that runs, or of several the one that had started by the time of the record.
//!
//! # Settings
//!
//! Those of the [OTLP exporter](https://opentelemetry.io/docs/specs/otel/protocol/exporter/), with their standard
//! effect: `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT` (an hour at most), `_COMPRESSION` (`gzip` unless set),
//! `_CERTIFICATE`, `_PROTOCOL` (only `http/protobuf`), and those of one signal; `OTEL_TRACES_EXPORTER`,
//! `OTEL_METRICS_EXPORTER` and `OTEL_LOGS_EXPORTER` (`none` switches the signal off, else it is `otlp`);
//! `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SDK_DISABLED`. Not supported, and not read: client certificates
//! (`_CLIENT_CERTIFICATE`, `_CLIENT_KEY`), and the preferences for temporality and histograms (`_METRICS_TEMPORALITY_…`,
//! `_METRICS_DEFAULT_HISTOGRAM_…`): all metrics are cumulative.
//!
//! One of these that cannot be read is a warning in the log, and counts as not set: it may be meant for an SDK inside the
//! function. Where it leaves no endpoint, or no certificates to trust, its signals are off, which is an error in the log.
//! The others go on, and so does the extension. And there are ours, of which a wrong one is an error that ends it:
//!
//! | variable | default | effect |
//! | --- | --- | --- |
//! | `FG_OTLP_FLUSH` | `adaptive` | when to send: `end`, `periodic` or `adaptive` |
//! | `FG_OTLP_FLUSH_INTERVAL` | `5s` | between two periodic flushes |
//! | `FG_OTLP_FLUSH_TIMEOUT` | `400ms` | the longest that a flush may hold up an invocation; the end, three times that, a second at least |
//! | `FG_OTLP_BUFFER` | `4MiB` | how many bytes spans and log records may take that wait; then the oldest are dropped, and counted |
//!
//! # When it is sent
//!
//! A process can be frozen between two invocations (D, best practice 05_1184), and what it has not sent by then may never
//! be. `end` sends what there is before an invocation is answered, and again, without anybody waiting, whenever telemetry
//! comes. `periodic` holds up nothing. `adaptive` is `end` while the function is called rarely: until eight pauses between
//! invocations are known, and while the mean of the last eight is longer than the interval; else it is `periodic`. Then,
//! what came after the last flush before a freeze waits until the next invocation thaws the process, or its end comes. It
//! is lost if neither comes, or if the platform ends the process without a word.
//!
//! A flush holds up an invocation by its time-out at most. Nobody waits for a signal that has kept one invocation waiting
//! that long, until a flush of it has been done within the time-out again; nor for one whose last request failed, until
//! one in the background has been answered. So a collector that is down or slow all the time holds up one invocation for
//! each of the three signals, and mostly one for all three; one that is slow now and then, one each time.
//!
//! What comes faster than a collector accepts it waits in the subscription: once half of the buffer is full, no more telemetry
//! is accepted, so that the subscription's own buffer fills (`FG_TELEMETRY_BUFFER`), and the platform is asked to try again.
//! Only for a collector that is down, nobody waits.
//!
//! What can be sent again is (status 429, 502, 503, 504, no connection, no response), with growing pauses up to 5 s, and not
//! before `Retry-After`, up to five minutes, is over; a random part is added, so that not all come back together. Anything
//! else that a collector rejects is dropped and counted. What goes wrong is logged in one line a second at most, with all
//! counts so far. Once the status of a response is there, it counts: its body may take 2 s, or is as good as empty.
//! Connections that were idle for three seconds are not trusted, since they may not have survived a freeze.

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
mod diagnostic;
mod export;
mod forwarder;
mod signal;
mod translate;

pub use forwarder::Forwarder;
