//! Tests of log records that the function's own SDK exports.

use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use serde_json::json;

use super::super::any_value;
use super::super::ids::TraceId;
use super::{Harness, ID, OTHER_ID, at, attribute, nanos, text, time};

const TRACE: [u8; 16] = [7; 16];
const SPAN: [u8; 8] = [9; 8];

fn record(millis: u64) -> LogRecord {
    LogRecord {
        time_unix_nano: nanos(millis),
        ..LogRecord::default()
    }
}

fn in_trace(millis: u64) -> LogRecord {
    LogRecord {
        trace_id: TRACE.into(),
        span_id: SPAN.into(),
        flags: 1,
        ..record(millis)
    }
}

impl Harness {
    fn receive_log(&mut self, log: LogRecord) -> LogRecord {
        let mut all = [ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![log],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }];
        self.translator.correlate_log_records(&mut all, self.now);
        let [mut resource] = all;
        resource.scope_logs.remove(0).log_records.remove(0)
    }
}

#[track_caller]
fn assert_invocation(log: &LogRecord, id: &str) {
    let found = attribute(&log.attributes, "faas.invocation_id");
    assert_eq!(found, Some(&text(id)));
}

#[test]
fn record_without_a_trace_is_bound_to_the_invocation() {
    let mut harness = Harness::new();
    harness.start(ID);
    let mut observed = record(0);
    observed.time_unix_nano = 0;
    observed.observed_time_unix_nano = nanos(5);
    for log in [record(5), observed] {
        let log = harness.receive_log(log);
        assert_eq!(log.trace_id, TraceId::of(ID).bytes());
        assert_eq!(log.span_id, TraceId::of(ID).root_span_id());
        assert_invocation(&log, ID);
    }
    harness.report(ID);
    // A batch can arrive later.
    harness.now = at(5_000);
    assert_invocation(&harness.receive_log(record(5)), ID);
    assert_eq!(harness.receive_log(record(100)), record(100));
}

#[test]
fn record_with_a_trace_keeps_it() {
    let mut harness = Harness::new();
    harness.start(ID);
    let log = harness.receive_log(in_trace(5));
    assert_eq!(
        (&log.trace_id[..], &log.span_id[..]),
        (&TRACE[..], &SPAN[..])
    );
    assert_invocation(&log, ID);
    // The invocation has joined the trace.
    let log = harness.receive_log(record(6));
    assert_eq!(log.trace_id, TRACE);
    assert_eq!(log.span_id, TraceId::of(ID).root_span_id());
    harness.report(ID);
    assert_eq!(harness.out.spans[0].trace_id, TRACE);
    // The trace is known, even if the time is not that of the invocation.
    assert_invocation(&harness.receive_log(in_trace(50)), ID);
}

#[test]
fn record_can_name_its_invocation() {
    let mut harness = Harness::new();
    for id in [ID, OTHER_ID] {
        harness.event(json!({"name": "platform.start", "startTime": time(0), "traceId": id}));
    }
    assert_eq!(harness.receive_log(record(5)), record(5));
    let mut log = record(5);
    log.attributes
        .push(any_value::attribute("faas.invocation_id", OTHER_ID));
    let log = harness.receive_log(log);
    assert_eq!(log.trace_id, TraceId::of(OTHER_ID).bytes());
    assert_invocation(&log, OTHER_ID);
    let mut derived = in_trace(5);
    derived.trace_id = TraceId::of(ID).bytes();
    let log = harness.receive_log(derived);
    assert_eq!(log.span_id, SPAN);
    assert_invocation(&log, ID);
}
