//! Tests of the scheduler: what is sent when, what invocations wait for, and what is logged.

use super::clock::FreezeAwareInstant;
use super::response::ExportResult;
use super::scheduler::{Action, AfterRequest, PendingFlush, Scheduler};
use super::*;
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

const ALL: [Signal; 3] = Signal::ALL;

fn state(variables: &[(&str, &str)]) -> Scheduler {
    state_since(FreezeAwareInstant::now(), variables)
}

fn state_since(now: FreezeAwareInstant, variables: &[(&str, &str)]) -> Scheduler {
    let endpoints = ["http://t", "http://m", "http://l"].map(|endpoint| Some(endpoint.to_owned()));
    Scheduler::new(&config(variables), endpoints, now)
}

fn state_flushing_at_end() -> Scheduler {
    state(&[("FG_OTLP_FLUSH", "end")])
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn push(state: &mut Scheduler) {
    state.queue.push(Signal::Traces, vec![0; 10]);
}

/// Sends one batch of spans with this result.
fn send(
    state: &mut Scheduler,
    result: ExportResult,
    now: FreezeAwareInstant,
) -> (AfterRequest, Option<String>) {
    let Action::Send { end, flush } = state.next_action(Signal::Traces, now) else {
        panic!("expected to send");
    };
    let batch = state.queue.take_batch(Signal::Traces, end).unwrap();
    let (after, line) = state.record_result(batch, result, now);
    state.complete_flush(Signal::Traces, flush, now);
    let line = line.map(|line| match line {
        Diagnostic::Error(line) => format!("error: {line}"),
        Diagnostic::Warning(line) => format!("warning: {line}"),
        Diagnostic::Info(line) => format!("info: {line}"),
    });
    (after, line)
}

fn accepted() -> ExportResult {
    ExportResult::Accepted {
        rejected: 0,
        message: String::new(),
    }
}

fn down() -> ExportResult {
    ExportResult::Retryable {
        retry_after: None,
        reason: "connection refused".to_owned(),
    }
}

fn wait_for(state: &mut Scheduler) -> Vec<Signal> {
    state.request_flush().unwrap().wait_for
}

fn is_send(action: Action) -> bool {
    matches!(action, Action::Send { .. })
}

#[test]
fn data_is_sent_at_the_end_of_an_invocation() {
    let (mut state, now) = (state_flushing_at_end(), FreezeAwareInstant::now());
    push(&mut state);
    assert_eq!(
        state.next_action(Signal::Traces, now + seconds(60)),
        Action::Wait(None)
    );
    let flush = state.request_flush().unwrap();
    assert_eq!(flush.wait_for, ALL);
    assert!(!state.is_completed(&flush));
    for signal in ALL {
        let Action::Send { flush, .. } = state.next_action(signal, now) else {
            panic!("expected to send {signal}");
        };
        state.complete_flush(signal, flush, now);
        assert_eq!(state.next_action(signal, now), Action::Wait(None));
    }
    assert!(state.is_completed(&flush));
}

#[test]
fn data_is_sent_once_per_interval() {
    let start = FreezeAwareInstant::now();
    let mut state = state_since(
        start,
        &[
            ("FG_OTLP_FLUSH", "periodic"),
            ("FG_OTLP_FLUSH_INTERVAL", "60s"),
        ],
    );
    assert_eq!(state.request_flush(), None);
    assert_eq!(
        state.next_action(Signal::Traces, start + seconds(90)),
        Action::Wait(None)
    );
    push(&mut state);
    assert_eq!(
        state.next_action(Signal::Traces, start + seconds(30)),
        Action::Wait(Some(seconds(30)))
    );
    // The timer stood still in a freeze, but the wall clock did not.
    let thawed = start.after_freeze(seconds(61));
    assert!(is_send(state.next_action(Signal::Traces, thawed)));
}

#[test]
fn adaptive_mode_is_end_or_periodic() {
    let mut state = state(&[]);
    assert!(state.request_flush().is_some());
    let start = std::time::SystemTime::now();
    for second in 0..9 {
        state
            .flush_policy
            .record_invocation(start + seconds(second));
    }
    assert!(state.request_flush().is_none());
    state.flush_policy.record_invocation(start + seconds(60));
    assert!(state.request_flush().is_some());
}

#[test]
fn full_batch_is_sent_early() {
    let mut state = state(&[("FG_OTLP_FLUSH", "end"), ("FG_OTLP_BUFFER", "1000")]);
    state.queue.push(Signal::Traces, vec![0; 460]);
    assert_eq!(
        state.next_action(Signal::Traces, FreezeAwareInstant::now()),
        Action::Wait(None)
    );
    state.queue.push(Signal::Traces, vec![0; 10]);
    assert!(is_send(
        state.next_action(Signal::Traces, FreezeAwareInstant::now())
    ));
}

#[test]
fn failure_is_retried_without_blocking_flushes() {
    let (mut state, now) = (state_flushing_at_end(), FreezeAwareInstant::now());
    push(&mut state);
    state.request_flush().unwrap();
    let (after, line) = send(&mut state, down(), now);
    assert_eq!(after, AfterRequest::BackOff);
    let line = line.unwrap();
    assert!(
        line.starts_with(
            "warning: cannot send spans to http://t: connection refused; retrying in "
        ) && line.contains(" ms (exported so far: 0 spans, 0 log records"),
        "{line}"
    );

    // No invocation waits for the signal while its retry is pending, while the retry is in flight, or after it fails.
    const OTHERS: [Signal; 2] = [Signal::Metrics, Signal::Logs];
    assert_eq!(wait_for(&mut state), OTHERS);
    assert!(matches!(
        state.next_action(Signal::Traces, now),
        Action::Wait(Some(_))
    ));
    let later = now + Duration::from_millis(100);
    send(&mut state, down(), later);
    assert_eq!(wait_for(&mut state), OTHERS);
    // After a thaw, the retry is due according to the wall clock.
    let thawed = later.after_freeze(seconds(60));
    let Action::Send { end, flush } = state.next_action(Signal::Traces, thawed) else {
        panic!("expected a retry");
    };
    assert_eq!(wait_for(&mut state), OTHERS);
    let batch = state.queue.take_batch(Signal::Traces, end).unwrap();
    let _ = state.record_result(batch, accepted(), thawed);
    state.complete_flush(Signal::Traces, flush, thawed);
    assert_eq!(wait_for(&mut state), ALL);
}

#[test]
fn failure_completes_every_waiting_flush() {
    let (mut state, now) = (state_flushing_at_end(), FreezeAwareInstant::now());
    push(&mut state);
    state.request_flush().unwrap();
    let Action::Send { end, .. } = state.next_action(Signal::Traces, now) else {
        panic!("expected to send");
    };
    let batch = state.queue.take_batch(Signal::Traces, end).unwrap();
    let flush = PendingFlush {
        wait_for: vec![Signal::Traces],
        ..state.request_flush().unwrap()
    };
    assert_eq!(
        state.record_result(batch, down(), now).0,
        AfterRequest::BackOff
    );
    assert!(state.is_completed(&flush));
}

#[test]
fn slow_signal_is_not_awaited_until_it_recovers() {
    const OTHERS: [Signal; 2] = [Signal::Metrics, Signal::Logs];
    let millis = Duration::from_millis;
    let mut now = FreezeAwareInstant::now();
    let mut state = state(&[("FG_OTLP_FLUSH", "end"), ("FG_OTLP_FLUSH_TIMEOUT", "400ms")]);
    push(&mut state);
    let flush = state.request_flush().unwrap();
    for signal in OTHERS {
        state.complete_flush(signal, flush.number, now);
    }
    state.record_timeout(&flush);
    // The latency, in milliseconds, of the two requests of a flush. The timeout is 400 ms.
    for (first, second, is_in_time) in [(401, 1, false), (200, 201, false), (200, 200, true)] {
        assert_eq!(wait_for(&mut state), OTHERS);
        let Action::Send { end, flush } = state.next_action(Signal::Traces, now) else {
            panic!("expected to send");
        };
        for latency in [first, second] {
            now = now + millis(latency);
            push(&mut state);
            let batch = state.queue.take_batch(Signal::Traces, u64::MAX).unwrap();
            let _ = state.record_result(batch, accepted(), now);
        }
        assert!(end < state.queue.end());
        state.complete_flush(Signal::Traces, flush, now);
        // A flush that sends no request does not change whether the signal is slow.
        let flush = state.request_flush().unwrap();
        state.next_action(Signal::Traces, now);
        state.complete_flush(Signal::Traces, flush.number, now);
        assert_eq!(wait_for(&mut state) == ALL, is_in_time, "{first} {second}");
    }
}

#[test]
fn disabled_signal_buffers_no_items_and_blocks_no_flush() {
    let mut state = Scheduler::new(
        &config(&[]),
        [Some("http://t".to_owned()), None, None],
        FreezeAwareInstant::now(),
    );
    for signal in [Signal::Traces, Signal::Logs] {
        state.enqueue(signal, vec![0; 10]);
    }
    state.metrics_changed();
    assert_eq!(
        ALL.map(|signal| state.queue.has_waiting(signal)),
        [true, false, false]
    );
    assert_eq!(wait_for(&mut state), [Signal::Traces]);
    assert!(!state.describe_outstanding().unwrap().contains("metrics"));
}

#[test]
fn warning_in_a_success_is_not_an_outage() {
    let (mut state, now) = (state_flushing_at_end(), FreezeAwareInstant::now());
    let warned = ExportResult::Accepted {
        rejected: 0,
        message: "old schema".to_owned(),
    };
    push(&mut state);
    state.request_flush().unwrap();
    let (_, line) = send(&mut state, warned, now);
    assert!(
        line.unwrap()
            .starts_with("warning: http://t accepted 1 span with a warning: old schema (")
    );
    push(&mut state);
    state.request_flush().unwrap();
    assert_eq!(send(&mut state, accepted(), now + seconds(2)).1, None);
}

#[test]
fn issues_are_logged_once_a_second_with_all_counts() {
    let (mut state, start) = (state_flushing_at_end(), FreezeAwareInstant::now());
    let mut logged = Vec::new();
    // Each line comes back as another log record, which causes the next rejection.
    for number in 0..100 {
        push(&mut state);
        state.request_flush().unwrap();
        let rejected = ExportResult::Rejected {
            reason: format!("status 401 Unauthorized: request {number}"),
        };
        let now = start + Duration::from_millis(100) * number;
        if let (_, Some(line)) = send(&mut state, rejected, now) {
            let count = format!("rejected: {}", Signal::Traces.count(u64::from(number) + 1));
            assert!(line.contains(&count), "{line}");
            logged.push(number);
        }
    }
    assert_eq!(logged, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
}

#[test]
fn item_outcomes_are_counted_and_logged() {
    let (mut state, now) = (state_flushing_at_end(), FreezeAwareInstant::now());
    for _ in 0..5 {
        push(&mut state);
    }
    state.request_flush().unwrap();
    let partial = ExportResult::Accepted {
        rejected: 2,
        message: "too old".to_owned(),
    };
    let (after, line) = send(&mut state, partial, now);
    assert_eq!(after, AfterRequest::SendMore);
    assert_eq!(
        line.unwrap(),
        "warning: http://t rejected 2 of 5 spans: too old (exported so far: 3 spans, 0 log records; \
         rejected: 2 spans, 0 log records)"
    );

    let rejected = || ExportResult::Rejected {
        reason: "status 400 Bad Request".to_owned(),
    };
    push(&mut state);
    state.request_flush().unwrap();
    assert_eq!(
        send(&mut state, rejected(), now),
        (AfterRequest::SendMore, None)
    );
    push(&mut state);
    state.request_flush().unwrap();
    let (_, line) = send(&mut state, rejected(), now + seconds(1));
    let line = line.unwrap();
    assert!(
        line.starts_with("warning: http://t permanently rejected 1 span: status 400 Bad Request (")
            && line.contains("rejected: 4 spans"),
        "{line}"
    );
    assert_eq!(state.describe_outstanding(), None);

    // The recovery is logged once, as soon as the throttle permits it.
    for (after, expected) in [(1, false), (3, true), (5, false)] {
        push(&mut state);
        state.request_flush().unwrap();
        let (_, line) = send(&mut state, accepted(), now + seconds(after));
        let is_recovery = |line: &String| line.starts_with("info: http://t accepts spans again (");
        assert_eq!(line.as_ref().is_some_and(is_recovery), expected, "{line:?}");
    }
    assert_eq!(state.counters().exported.spans, 6);
}

#[test]
fn dropped_items_are_logged() {
    let mut state = state(&[("FG_OTLP_BUFFER", "1000")]);
    let now = FreezeAwareInstant::now();
    let before = state.queue.dropped();
    assert_eq!(state.report_dropped(before, now), None);
    while state.queue.dropped() == before {
        push(&mut state);
    }
    let Some(Diagnostic::Warning(line)) = state.report_dropped(before, now) else {
        panic!("expected a warning");
    };
    assert!(
        line.starts_with("the export buffer of 1000 bytes is full")
            && line.contains("FG_OTLP_BUFFER")
            && line.contains("dropped because the buffer was full: 1 span, "),
        "{line}"
    );
}

#[test]
fn last_flush_retries_immediately_until_the_deadline() {
    let (mut state, now) = (state_flushing_at_end(), FreezeAwareInstant::now());
    push(&mut state);
    state.request_flush().unwrap();
    send(&mut state, down(), now);
    let deadline = now + Duration::from_millis(400);
    state.begin_shutdown(deadline);
    // A signal without data is finished. A signal in back-off retries at once.
    assert_eq!(state.next_action(Signal::Logs, now), Action::Finish);
    send(&mut state, down(), now);
    // There is time for another retry, but not for one after the pause that the collector asks for.
    let Action::Wait(Some(wait)) = state.next_action(Signal::Traces, now) else {
        panic!("expected a retry");
    };
    let retry_after_deadline = ExportResult::Retryable {
        retry_after: Some(seconds(7)),
        reason: "status 503 Service Unavailable".to_owned(),
    };
    send(&mut state, retry_after_deadline, now + wait);
    assert_eq!(
        state.next_action(Signal::Traces, now + wait),
        Action::Finish
    );
    assert_eq!(
        state.describe_outstanding().unwrap(),
        "1 span to http://t (status 503 Service Unavailable)"
    );
}
