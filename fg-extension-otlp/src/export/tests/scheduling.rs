//! Tests of the scheduler: what is sent when, what invocations wait for, and what is logged.

use super::clock::FreezeAwareInstant;
use super::queue::Item;
use super::response::ExportResult;
use super::scheduler::{Action, AfterRequest, PendingFlush, Scheduler};
use super::*;
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

const ALL: [Signal; 3] = Signal::ALL;

fn scheduler(variables: &[(&str, &str)]) -> Scheduler {
    scheduler_since(FreezeAwareInstant::now(), variables)
}

fn scheduler_since(now: FreezeAwareInstant, variables: &[(&str, &str)]) -> Scheduler {
    let endpoints = ["http://t", "http://m", "http://l"].map(|endpoint| Some(endpoint.to_owned()));
    Scheduler::new(&config(variables), endpoints, now)
}

fn scheduler_flushing_at_end() -> Scheduler {
    scheduler(&[("FG_OTLP_FLUSH", "end")])
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn push(scheduler: &mut Scheduler) {
    scheduler.queue.push(Signal::Traces, Item::Own(vec![0; 10]));
}

/// Sends one batch of spans with this result.
fn send(
    scheduler: &mut Scheduler,
    result: ExportResult,
    now: FreezeAwareInstant,
) -> (AfterRequest, Option<String>) {
    let Action::Send { end, flush } = scheduler.next_action(Signal::Traces, now) else {
        panic!("expected to send");
    };
    let batch = scheduler.queue.take_batch(Signal::Traces, end).unwrap();
    let (after, line) = scheduler.record_result(batch, result, now);
    scheduler.complete_flush(Signal::Traces, flush, now);
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

fn wait_for(scheduler: &mut Scheduler) -> Vec<Signal> {
    scheduler.request_flush().unwrap().wait_for
}

fn is_send(action: Action) -> bool {
    matches!(action, Action::Send { .. })
}

#[test]
fn data_is_sent_at_the_end_of_an_invocation() {
    let (mut scheduler, now) = (scheduler_flushing_at_end(), FreezeAwareInstant::now());
    push(&mut scheduler);
    assert_eq!(
        scheduler.next_action(Signal::Traces, now + seconds(60)),
        Action::Wait(None)
    );
    let flush = scheduler.request_flush().unwrap();
    assert_eq!(flush.wait_for, ALL);
    assert!(!scheduler.is_completed(&flush));
    for signal in ALL {
        let Action::Send { flush, .. } = scheduler.next_action(signal, now) else {
            panic!("expected to send {signal}");
        };
        scheduler.complete_flush(signal, flush, now);
        assert_eq!(scheduler.next_action(signal, now), Action::Wait(None));
    }
    assert!(scheduler.is_completed(&flush));
}

#[test]
fn data_is_sent_once_per_interval() {
    let start = FreezeAwareInstant::now();
    let mut scheduler = scheduler_since(
        start,
        &[
            ("FG_OTLP_FLUSH", "periodic"),
            ("FG_OTLP_FLUSH_INTERVAL", "60s"),
        ],
    );
    assert_eq!(scheduler.request_flush(), None);
    assert_eq!(
        scheduler.next_action(Signal::Traces, start + seconds(90)),
        Action::Wait(None)
    );
    push(&mut scheduler);
    assert_eq!(
        scheduler.next_action(Signal::Traces, start + seconds(30)),
        Action::Wait(Some(seconds(30)))
    );
    // The timer stood still in a freeze, but the wall clock did not.
    let thawed = start.after_freeze(seconds(61));
    assert!(is_send(scheduler.next_action(Signal::Traces, thawed)));
}

#[test]
fn adaptive_mode_is_end_or_periodic() {
    let mut scheduler = scheduler(&[]);
    assert!(scheduler.request_flush().is_some());
    let start = std::time::SystemTime::now();
    for second in 0..9 {
        scheduler
            .flush_policy
            .record_invocation(start + seconds(second));
    }
    assert!(scheduler.request_flush().is_none());
    scheduler
        .flush_policy
        .record_invocation(start + seconds(60));
    assert!(scheduler.request_flush().is_some());
}

#[test]
fn full_batch_is_sent_early() {
    let mut scheduler = scheduler(&[("FG_OTLP_FLUSH", "end"), ("FG_OTLP_BUFFER", "1000")]);
    scheduler
        .queue
        .push(Signal::Traces, Item::Own(vec![0; 460]));
    assert_eq!(
        scheduler.next_action(Signal::Traces, FreezeAwareInstant::now()),
        Action::Wait(None)
    );
    scheduler.queue.push(Signal::Traces, Item::Own(vec![0; 10]));
    assert!(is_send(
        scheduler.next_action(Signal::Traces, FreezeAwareInstant::now())
    ));
}

#[test]
fn failure_is_retried_without_blocking_flushes() {
    let (mut scheduler, now) = (scheduler_flushing_at_end(), FreezeAwareInstant::now());
    push(&mut scheduler);
    scheduler.request_flush().unwrap();
    let (after, line) = send(&mut scheduler, down(), now);
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
    assert_eq!(wait_for(&mut scheduler), OTHERS);
    assert!(matches!(
        scheduler.next_action(Signal::Traces, now),
        Action::Wait(Some(_))
    ));
    let later = now + Duration::from_millis(100);
    send(&mut scheduler, down(), later);
    assert_eq!(wait_for(&mut scheduler), OTHERS);
    // After a thaw, the retry is due according to the wall clock.
    let thawed = later.after_freeze(seconds(60));
    let Action::Send { end, flush } = scheduler.next_action(Signal::Traces, thawed) else {
        panic!("expected a retry");
    };
    assert_eq!(wait_for(&mut scheduler), OTHERS);
    let batch = scheduler.queue.take_batch(Signal::Traces, end).unwrap();
    let _ = scheduler.record_result(batch, accepted(), thawed);
    scheduler.complete_flush(Signal::Traces, flush, thawed);
    assert_eq!(wait_for(&mut scheduler), ALL);
}

#[test]
fn failure_completes_every_waiting_flush() {
    let (mut scheduler, now) = (scheduler_flushing_at_end(), FreezeAwareInstant::now());
    push(&mut scheduler);
    scheduler.request_flush().unwrap();
    let Action::Send { end, .. } = scheduler.next_action(Signal::Traces, now) else {
        panic!("expected to send");
    };
    let batch = scheduler.queue.take_batch(Signal::Traces, end).unwrap();
    let flush = PendingFlush {
        wait_for: vec![Signal::Traces],
        ..scheduler.request_flush().unwrap()
    };
    assert_eq!(
        scheduler.record_result(batch, down(), now).0,
        AfterRequest::BackOff
    );
    assert!(scheduler.is_completed(&flush));
}

#[test]
fn slow_signal_is_not_awaited_until_it_recovers() {
    const OTHERS: [Signal; 2] = [Signal::Metrics, Signal::Logs];
    let millis = Duration::from_millis;
    let mut now = FreezeAwareInstant::now();
    let mut scheduler = scheduler(&[("FG_OTLP_FLUSH", "end"), ("FG_OTLP_FLUSH_TIMEOUT", "400ms")]);
    push(&mut scheduler);
    let flush = scheduler.request_flush().unwrap();
    for signal in OTHERS {
        scheduler.complete_flush(signal, flush.number, now);
    }
    scheduler.record_timeout(&flush);
    // The latency, in milliseconds, of the two requests of a flush. The timeout is 400 ms.
    for (first, second, is_in_time) in [(401, 1, false), (200, 201, false), (200, 200, true)] {
        assert_eq!(wait_for(&mut scheduler), OTHERS);
        let Action::Send { end, flush } = scheduler.next_action(Signal::Traces, now) else {
            panic!("expected to send");
        };
        for latency in [first, second] {
            now = now + millis(latency);
            push(&mut scheduler);
            let batch = scheduler
                .queue
                .take_batch(Signal::Traces, u64::MAX)
                .unwrap();
            let _ = scheduler.record_result(batch, accepted(), now);
        }
        assert!(end < scheduler.queue.end());
        scheduler.complete_flush(Signal::Traces, flush, now);
        // A flush that sends no request does not change whether the signal is slow.
        let flush = scheduler.request_flush().unwrap();
        scheduler.next_action(Signal::Traces, now);
        scheduler.complete_flush(Signal::Traces, flush.number, now);
        assert_eq!(
            wait_for(&mut scheduler) == ALL,
            is_in_time,
            "{first} {second}"
        );
    }
}

#[test]
fn disabled_signal_buffers_no_items_and_blocks_no_flush() {
    let mut scheduler = Scheduler::new(
        &config(&[]),
        [Some("http://t".to_owned()), None, None],
        FreezeAwareInstant::now(),
    );
    for signal in [Signal::Traces, Signal::Logs] {
        scheduler.enqueue(signal, Item::Own(vec![0; 10]));
    }
    scheduler.metrics_changed();
    assert_eq!(
        ALL.map(|signal| scheduler.queue.has_waiting(signal)),
        [true, false, false]
    );
    assert_eq!(wait_for(&mut scheduler), [Signal::Traces]);
    assert!(
        !scheduler
            .describe_outstanding()
            .unwrap()
            .contains("metrics")
    );
}

#[test]
fn warning_in_a_success_is_not_an_outage() {
    let (mut scheduler, now) = (scheduler_flushing_at_end(), FreezeAwareInstant::now());
    let warned = ExportResult::Accepted {
        rejected: 0,
        message: "old schema".to_owned(),
    };
    push(&mut scheduler);
    scheduler.request_flush().unwrap();
    let (_, line) = send(&mut scheduler, warned, now);
    assert!(
        line.unwrap()
            .starts_with("warning: http://t accepted 1 span with a warning: old schema (")
    );
    push(&mut scheduler);
    scheduler.request_flush().unwrap();
    assert_eq!(send(&mut scheduler, accepted(), now + seconds(2)).1, None);
}

#[test]
fn issues_are_logged_once_a_second_with_all_counts() {
    let (mut scheduler, start) = (scheduler_flushing_at_end(), FreezeAwareInstant::now());
    let mut logged = Vec::new();
    // Each line comes back as another log record, which causes the next rejection.
    for number in 0..100 {
        push(&mut scheduler);
        scheduler.request_flush().unwrap();
        let rejected = ExportResult::Rejected {
            reason: format!("status 401 Unauthorized: request {number}"),
        };
        let now = start + Duration::from_millis(100) * number;
        if let (_, Some(line)) = send(&mut scheduler, rejected, now) {
            let count = format!("rejected: {}", Signal::Traces.count(u64::from(number) + 1));
            assert!(line.contains(&count), "{line}");
            logged.push(number);
        }
    }
    assert_eq!(logged, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
}

#[test]
fn item_outcomes_are_counted_and_logged() {
    let (mut scheduler, now) = (scheduler_flushing_at_end(), FreezeAwareInstant::now());
    for _ in 0..5 {
        push(&mut scheduler);
    }
    scheduler.request_flush().unwrap();
    let partial = ExportResult::Accepted {
        rejected: 2,
        message: "too old".to_owned(),
    };
    let (after, line) = send(&mut scheduler, partial, now);
    assert_eq!(after, AfterRequest::SendMore);
    assert_eq!(
        line.unwrap(),
        "warning: http://t rejected 2 of 5 spans: too old (exported so far: 3 spans, 0 log records; \
         rejected: 2 spans, 0 log records)"
    );

    let rejected = || ExportResult::Rejected {
        reason: "status 400 Bad Request".to_owned(),
    };
    push(&mut scheduler);
    scheduler.request_flush().unwrap();
    assert_eq!(
        send(&mut scheduler, rejected(), now),
        (AfterRequest::SendMore, None)
    );
    push(&mut scheduler);
    scheduler.request_flush().unwrap();
    let (_, line) = send(&mut scheduler, rejected(), now + seconds(1));
    let line = line.unwrap();
    assert!(
        line.starts_with("warning: http://t permanently rejected 1 span: status 400 Bad Request (")
            && line.contains("rejected: 4 spans"),
        "{line}"
    );
    assert_eq!(scheduler.describe_outstanding(), None);

    // The recovery is logged once, as soon as the throttle permits it.
    for (after, expected) in [(1, false), (3, true), (5, false)] {
        push(&mut scheduler);
        scheduler.request_flush().unwrap();
        let (_, line) = send(&mut scheduler, accepted(), now + seconds(after));
        let is_recovery = |line: &String| line.starts_with("info: http://t accepts spans again (");
        assert_eq!(line.as_ref().is_some_and(is_recovery), expected, "{line:?}");
    }
    assert_eq!(scheduler.counters().exported.spans, 6);
}

#[test]
fn responses_that_change_the_requests_are_logged() {
    let (mut scheduler, now) = (scheduler_flushing_at_end(), FreezeAwareInstant::now());
    scheduler
        .queue
        .push(Signal::Traces, Item::Own(vec![0; 3000]));
    scheduler
        .queue
        .push(Signal::Traces, Item::Own(vec![0; 3000]));
    scheduler.request_flush().unwrap();
    let reason = || "status 415 Unsupported Media Type".to_owned();
    let result = ExportResult::CompressionRejected { reason: reason() };
    let (after, line) = send(&mut scheduler, result, now);
    assert_eq!(after, AfterRequest::SendMore);
    assert_eq!(
        line.unwrap(),
        "warning: http://t does not accept gzip: status 415 Unsupported Media Type; spans are sent without compression \
         from now on; set OTEL_EXPORTER_OTLP_COMPRESSION=none"
    );

    let too_large = || ExportResult::TooLarge {
        reason: "status 413 Payload Too Large".to_owned(),
    };
    scheduler.request_flush().unwrap();
    let (after, line) = send(&mut scheduler, too_large(), now);
    assert_eq!(after, AfterRequest::SendMore);
    let line = line.unwrap();
    assert!(
        line.starts_with(
            "warning: http://t rejected a request with 2 spans of 6000 bytes as too large: \
             status 413 Payload Too Large; sending smaller requests from now on (exported so far: 0 spans"
        ),
        "{line}"
    );
    scheduler.request_flush().unwrap();
    let (_, line) = send(&mut scheduler, too_large(), now + seconds(2));
    let line = line.unwrap();
    assert!(
        line.starts_with(
            "warning: http://t permanently rejected 1 span: status 413 Payload Too Large; the request had 3000 bytes ("
        ) && line.contains("rejected: 1 span, "),
        "{line}"
    );
    scheduler.request_flush().unwrap();
    // The collector is not down because of one large record, so no line reports a recovery.
    let (_, line) = send(&mut scheduler, accepted(), now + seconds(4));
    assert_eq!(line, None);
    assert_eq!(scheduler.counters().exported.spans, 1);
}

#[test]
fn collector_cannot_reject_more_than_it_received() {
    let (mut scheduler, now) = (scheduler_flushing_at_end(), FreezeAwareInstant::now());
    push(&mut scheduler);
    scheduler.request_flush().unwrap();
    let partial = ExportResult::Accepted {
        rejected: u64::MAX,
        message: "too old".to_owned(),
    };
    let (_, line) = send(&mut scheduler, partial, now);
    assert_eq!(
        line.unwrap(),
        "warning: http://t rejected 1 of 1 span: too old (exported so far: 0 spans, 0 log records; \
         rejected: 1 span, 0 log records)"
    );
}

#[test]
fn dropped_items_are_logged() {
    let mut scheduler = scheduler(&[("FG_OTLP_BUFFER", "1000")]);
    let now = FreezeAwareInstant::now();
    while scheduler.queue.dropped() == counts(0, 0) {
        push(&mut scheduler);
    }
    let Some(Diagnostic::Warning(line)) = scheduler.report_dropped(now) else {
        panic!("expected a warning");
    };
    assert!(
        line.starts_with("the export buffer of 1000 bytes is full")
            && line.contains("FG_OTLP_BUFFER")
            && line.contains("dropped because the buffer was full: 1 span, "),
        "{line}"
    );
    assert_eq!(scheduler.report_dropped(now), None);
}

#[test]
fn last_flush_backs_off_until_the_last_attempt() {
    let (mut scheduler, mut now) = (scheduler_flushing_at_end(), FreezeAwareInstant::now());
    push(&mut scheduler);
    scheduler.request_flush().unwrap();
    for _ in 0..9 {
        send(&mut scheduler, down(), now);
        now = now + seconds(5);
    }
    scheduler.begin_shutdown(seconds(2));
    // A signal without data is finished. A signal in back-off retries at once, and then after short pauses.
    assert_eq!(scheduler.next_action(Signal::Logs, now), Action::Finish);
    for longest in [50, 100, 200, 400, 500, 500] {
        let longest = Duration::from_millis(longest);
        send(&mut scheduler, down(), now);
        let Action::Wait(Some(pause)) = scheduler.next_action(Signal::Traces, now) else {
            panic!("expected a retry");
        };
        assert!(pause >= longest / 2 && pause <= longest, "{pause:?}");
        now = now + pause;
    }
    send(&mut scheduler, down(), now);
    scheduler.begin_last_attempt();
    send(&mut scheduler, down(), now);
    assert_eq!(scheduler.next_action(Signal::Traces, now), Action::Finish);
    assert_eq!(
        scheduler.describe_outstanding().unwrap(),
        "1 span to http://t (connection refused)"
    );
}

#[test]
fn last_flush_does_not_wait_longer_than_it_may_take() {
    let (mut scheduler, now) = (scheduler_flushing_at_end(), FreezeAwareInstant::now());
    push(&mut scheduler);
    scheduler.begin_shutdown(seconds(2));
    let ask_for_pause = |seconds: u64| ExportResult::Retryable {
        retry_after: Some(Duration::from_secs(seconds)),
        reason: "status 503 Service Unavailable".to_owned(),
    };
    send(&mut scheduler, ask_for_pause(1), now);
    let Action::Wait(Some(pause)) = scheduler.next_action(Signal::Traces, now) else {
        panic!("expected a retry");
    };
    assert!(pause > seconds(1), "{pause:?}");
    send(&mut scheduler, ask_for_pause(2), now + pause);
    assert_eq!(
        scheduler.next_action(Signal::Traces, now + pause),
        Action::Finish
    );
}

#[test]
fn buffer_that_a_failing_signal_fills_does_not_hurry_the_others() {
    let mut scheduler = scheduler(&[("FG_OTLP_FLUSH", "periodic"), ("FG_OTLP_BUFFER", "1000B")]);
    let now = FreezeAwareInstant::now();
    for (signal, size) in [(Signal::Traces, 600), (Signal::Logs, 10)] {
        scheduler.queue.push(signal, Item::Own(vec![0; size]));
    }
    // Telemetry waits for capacity.
    assert!(is_send(scheduler.next_action(Signal::Logs, now)));
    send(&mut scheduler, down(), now);
    assert!(scheduler.has_capacity());
    assert!(!is_send(scheduler.next_action(Signal::Logs, now)));
}
