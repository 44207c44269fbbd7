use super::*;

const ALL: [Signal; 3] = Signal::ALL;

fn state(variables: &[(&str, &str)]) -> State {
    let settings = Settings::read(|name| {
        let mut variables = variables.iter();
        let found = variables.find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value.into())
    });
    State::new(
        &settings.unwrap().unwrap(),
        ["http://t", "http://m", "http://l"].map(str::to_owned),
    )
}

fn at_end() -> State {
    state(&[("FG_OTLP_FLUSH", "end")])
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn push(state: &mut State) {
    state.buffer.push(Signal::Traces, vec![0; 10]);
}

/// Lets one batch of spans come to this end.
fn send(state: &mut State, outcome: Outcome, now: Time) -> (Settled, Option<String>) {
    let Step::Send { end, answers } = state.next(Signal::Traces, now) else {
        panic!("nothing is sent");
    };
    let batch = state.buffer.take(Signal::Traces, end).unwrap();
    let (settled, line) = state.settle(batch, outcome, now);
    state.answer(Signal::Traces, answers);
    let line = line.map(|line| match line {
        Line::Warning(line) => format!("warning: {line}"),
        Line::Notice(line) => format!("notice: {line}"),
    });
    (settled, line)
}

fn delivered() -> Outcome {
    Outcome::Delivered {
        rejected: 0,
        message: String::new(),
    }
}

fn down() -> Outcome {
    Outcome::Retry {
        after: None,
        why: "connection refused".to_owned(),
    }
}

fn wait_for(state: &mut State, now: Time) -> Vec<Signal> {
    state.ask(now).unwrap().wait_for
}

fn is_send(step: Step) -> bool {
    matches!(step, Step::Send { .. })
}

#[test]
fn data_wait_for_the_end_of_an_invocation() {
    let (mut state, now) = (at_end(), Time::now());
    push(&mut state);
    assert_eq!(
        state.next(Signal::Traces, now + seconds(60)),
        Step::Wait(None)
    );
    let asked = state.ask(now).unwrap();
    assert_eq!(asked.wait_for, ALL);
    assert!(!state.is_answered(&asked));
    for signal in ALL {
        let Step::Send { answers, .. } = state.next(signal, now) else {
            panic!("{signal} are not flushed");
        };
        state.answer(signal, answers);
        assert_eq!(state.next(signal, now), Step::Wait(None));
    }
    assert!(state.is_answered(&asked));
}

#[test]
fn data_wait_for_the_interval() {
    let (mut state, start) = (
        state(&[
            ("FG_OTLP_FLUSH", "periodic"),
            ("FG_OTLP_FLUSH_INTERVAL", "60s"),
        ]),
        Time::now(),
    );
    assert_eq!(state.ask(start), None);
    assert_eq!(
        state.next(Signal::Traces, start + seconds(90)),
        Step::Wait(None)
    );
    push(&mut state);
    let Step::Wait(Some(wait)) = state.next(Signal::Traces, start + seconds(30)) else {
        panic!("no timer");
    };
    assert!(wait > seconds(29) && wait <= seconds(30), "{wait:?}");
    // The timer stood still in a freeze, but the wall clock did not.
    let thawed = start.after_freeze(seconds(61));
    assert!(is_send(state.next(Signal::Traces, thawed)));
}

#[test]
fn adaptive_is_end_or_periodic() {
    let (mut state, now) = (state(&[]), Time::now());
    assert!(state.ask(now).is_some());
    let call = std::time::SystemTime::now();
    state.rhythm.invoked(call);
    state.rhythm.invoked(call + seconds(1));
    assert!(state.ask(now).is_none());
    state.rhythm.invoked(call + seconds(60));
    assert!(state.ask(now).is_some());
}

#[test]
fn much_that_waits_is_sent_before_its_time() {
    let mut state = state(&[("FG_OTLP_FLUSH", "end"), ("FG_OTLP_BUFFER", "1000")]);
    state.buffer.push(Signal::Traces, vec![0; 499]);
    assert_eq!(state.next(Signal::Traces, Time::now()), Step::Wait(None));
    state.buffer.push(Signal::Traces, vec![0; 1]);
    assert!(is_send(state.next(Signal::Traces, Time::now())));
}

#[test]
fn failure_is_tried_again_and_nobody_waits_for_it_meanwhile() {
    let (mut state, now) = (at_end(), Time::now());
    push(&mut state);
    state.ask(now).unwrap();
    let (settled, line) = send(&mut state, down(), now);
    assert_eq!(settled, Settled::BackOff);
    let line = line.unwrap();
    assert!(
        line.starts_with("warning: cannot send spans to http://t, next try in ")
            && line.contains(
                " ms: connection refused (so far exported: 0 spans, 0 log records; dropped"
            ),
        "{line}"
    );

    // Not due yet: the lane waits for the time, and nobody for the lane.
    assert_eq!(wait_for(&mut state, now), [Signal::Metrics, Signal::Logs]);
    assert!(matches!(
        state.next(Signal::Traces, now),
        Step::Wait(Some(_))
    ));
    // Due: whoever asks now is the first to know whether it works again.
    let later = now + Duration::from_millis(100);
    assert_eq!(wait_for(&mut state, later), ALL);
    // Under way: it began before whoever asks now came.
    assert!(is_send(state.next(Signal::Traces, later)));
    assert_eq!(wait_for(&mut state, later), [Signal::Metrics, Signal::Logs]);
    // In a thaw it is due by the wall clock.
    send(&mut state, down(), later);
    assert_eq!(wait_for(&mut state, later.after_freeze(seconds(60))), ALL);
}

#[test]
fn failure_answers_everybody_who_waits() {
    let (mut state, now) = (at_end(), Time::now());
    push(&mut state);
    state.ask(now).unwrap();
    let Step::Send { end, .. } = state.next(Signal::Traces, now) else {
        panic!("nothing is sent");
    };
    let batch = state.buffer.take(Signal::Traces, end).unwrap();
    let asked = Asked {
        wait_for: vec![Signal::Traces],
        ..state.ask(now).unwrap()
    };
    assert_eq!(state.settle(batch, down(), now).0, Settled::BackOff);
    assert!(state.is_answered(&asked));
}

#[test]
fn one_late_answer_holds_up_one_invocation() {
    let (mut state, now) = (at_end(), Time::now());
    push(&mut state);
    let asked = state.ask(now).unwrap();
    assert!(is_send(state.next(Signal::Traces, now)));
    for signal in [Signal::Metrics, Signal::Logs] {
        state.answer(signal, asked.flush);
    }
    state.was_late(&asked);
    assert_eq!(wait_for(&mut state, now), [Signal::Metrics, Signal::Logs]);
    send(&mut state, delivered(), now);
    assert_eq!(wait_for(&mut state, now), ALL);
}

#[test]
fn what_became_of_items_is_counted_and_said() {
    let (mut state, now) = (at_end(), Time::now());
    for _ in 0..5 {
        push(&mut state);
    }
    state.ask(now).unwrap();
    let partial = Outcome::Delivered {
        rejected: 2,
        message: "too old".to_owned(),
    };
    let (settled, line) = send(&mut state, partial, now);
    assert_eq!(settled, Settled::Continue);
    assert_eq!(
        line.unwrap(),
        "warning: http://t rejected 2 spans of 5 spans: too old (so far exported: 3 spans, 0 log records; \
         dropped for want of room: 0 spans, 0 log records; rejected: 2 spans, 0 log records; waiting: 0 bytes)"
    );

    let refused = || Outcome::Refused {
        why: "status 400 Bad Request".to_owned(),
    };
    push(&mut state);
    state.ask(now).unwrap();
    assert_eq!(send(&mut state, refused(), now), (Settled::Continue, None));
    push(&mut state);
    state.ask(now).unwrap();
    let (_, line) = send(&mut state, refused(), now + seconds(1));
    let line = line.unwrap();
    assert!(
        line.starts_with("warning: http://t refused 1 span for good: status 400 Bad Request (")
            && line.contains("rejected: 4 spans"),
        "{line}"
    );
    assert_eq!(state.leftover(), None);

    // It is well again, once, and not sooner than a line may be written.
    for (after, expected) in [(1, false), (3, true), (5, false)] {
        push(&mut state);
        state.ask(now).unwrap();
        let (_, line) = send(&mut state, delivered(), now + seconds(after));
        let is_well = |line: &String| line.starts_with("notice: spans reach http://t again (");
        assert_eq!(line.as_ref().is_some_and(is_well), expected, "{line:?}");
    }
    assert_eq!(state.counts().exported.spans, 6);
}

#[test]
fn dropped_items_are_said() {
    let mut state = state(&[("FG_OTLP_BUFFER", "1000")]);
    let now = Time::now();
    let before = state.buffer.dropped();
    assert_eq!(state.report_dropped(before, now), None);
    for _ in 0..101 {
        push(&mut state);
    }
    let Some(Line::Warning(line)) = state.report_dropped(before, now) else {
        panic!("nothing is said");
    };
    assert!(
        line.starts_with("the buffer of 1000 bytes is full")
            && line.contains("FG_OTLP_BUFFER")
            && line.contains("dropped for want of room: 1 spans"),
        "{line}"
    );
}

#[test]
fn last_flush_tries_at_once_and_until_the_deadline() {
    let (mut state, now) = (at_end(), Time::now());
    push(&mut state);
    state.ask(now).unwrap();
    send(&mut state, down(), now);
    let deadline = now + Duration::from_millis(400);
    state.close(deadline);
    // A lane with nothing to do is done, one in a back-off tries at once.
    assert_eq!(state.next(Signal::Logs, now), Step::Finish);
    send(&mut state, down(), now);
    // There is room for another try, but not for one that the collector wants later.
    let Step::Wait(Some(wait)) = state.next(Signal::Traces, now) else {
        panic!("no other try");
    };
    let wait_long = Outcome::Retry {
        after: Some(seconds(7)),
        why: "status 503 Service Unavailable".to_owned(),
    };
    send(&mut state, wait_long, now + wait);
    assert_eq!(state.next(Signal::Traces, now + wait), Step::Finish);
    assert_eq!(
        state.leftover().unwrap(),
        "1 span to http://t (status 503 Service Unavailable)"
    );
}
