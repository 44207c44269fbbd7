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
        ["http://t", "http://m", "http://l"].map(|endpoint| Some(endpoint.to_owned())),
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
    state.answer(Signal::Traces, answers, now);
    let line = line.map(|line| match line {
        Line::Error(line) => format!("error: {line}"),
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

fn wait_for(state: &mut State) -> Vec<Signal> {
    state.ask().unwrap().wait_for
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
    let asked = state.ask().unwrap();
    assert_eq!(asked.wait_for, ALL);
    assert!(!state.is_answered(&asked));
    for signal in ALL {
        let Step::Send { answers, .. } = state.next(signal, now) else {
            panic!("{signal} are not flushed");
        };
        state.answer(signal, answers, now);
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
    assert_eq!(state.ask(), None);
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
    let mut state = state(&[]);
    assert!(state.ask().is_some());
    let call = std::time::SystemTime::now();
    for second in 0..9 {
        state.rhythm.invoked(call + seconds(second));
    }
    assert!(state.ask().is_none());
    state.rhythm.invoked(call + seconds(60));
    assert!(state.ask().is_some());
}

#[test]
fn much_that_waits_is_sent_before_its_time() {
    let mut state = state(&[("FG_OTLP_FLUSH", "end"), ("FG_OTLP_BUFFER", "1000")]);
    state.buffer.push(Signal::Traces, vec![0; 460]);
    assert_eq!(state.next(Signal::Traces, Time::now()), Step::Wait(None));
    state.buffer.push(Signal::Traces, vec![0; 10]);
    assert!(is_send(state.next(Signal::Traces, Time::now())));
}

#[test]
fn failure_is_tried_again_and_nobody_waits_for_it_meanwhile() {
    let (mut state, now) = (at_end(), Time::now());
    push(&mut state);
    state.ask().unwrap();
    let (settled, line) = send(&mut state, down(), now);
    assert_eq!(settled, Settled::BackOff);
    let line = line.unwrap();
    assert!(
        line.starts_with("warning: cannot send spans to http://t, next try in ")
            && line.contains(" ms: connection refused (so far exported: 0 spans, 0 log records"),
        "{line}"
    );

    // The lane waits for the time, and nobody for the lane, be it that it is due, or under way, or fails again.
    const OTHERS: [Signal; 2] = [Signal::Metrics, Signal::Logs];
    assert_eq!(wait_for(&mut state), OTHERS);
    assert!(matches!(
        state.next(Signal::Traces, now),
        Step::Wait(Some(_))
    ));
    let later = now + Duration::from_millis(100);
    send(&mut state, down(), later);
    assert_eq!(wait_for(&mut state), OTHERS);
    // In a thaw it is due by the wall clock.
    let thawed = later.after_freeze(seconds(60));
    let Step::Send { end, answers } = state.next(Signal::Traces, thawed) else {
        panic!("no other try");
    };
    assert_eq!(wait_for(&mut state), OTHERS);
    let batch = state.buffer.take(Signal::Traces, end).unwrap();
    let _ = state.settle(batch, delivered(), thawed);
    state.answer(Signal::Traces, answers, thawed);
    assert_eq!(wait_for(&mut state), ALL);
}

#[test]
fn failure_answers_everybody_who_waits() {
    let (mut state, now) = (at_end(), Time::now());
    push(&mut state);
    state.ask().unwrap();
    let Step::Send { end, .. } = state.next(Signal::Traces, now) else {
        panic!("nothing is sent");
    };
    let batch = state.buffer.take(Signal::Traces, end).unwrap();
    let asked = Asked {
        wait_for: vec![Signal::Traces],
        ..state.ask().unwrap()
    };
    assert_eq!(state.settle(batch, down(), now).0, Settled::BackOff);
    assert!(state.is_answered(&asked));
}

#[test]
fn lane_that_was_late_is_not_waited_for_until_it_is_in_time() {
    const OTHERS: [Signal; 2] = [Signal::Metrics, Signal::Logs];
    let millis = Duration::from_millis;
    let (mut state, mut now) = (at_end(), Time::now());
    push(&mut state);
    let asked = state.ask().unwrap();
    for signal in OTHERS {
        state.answer(signal, asked.flush, now);
    }
    state.was_late(&asked);
    // So many milliseconds for each of two requests of a flush, whose time-out is 400 ms.
    for (first, second, is_in_time) in [(401, 1, false), (200, 201, false), (200, 200, true)] {
        assert_eq!(wait_for(&mut state), OTHERS);
        let Step::Send { end, answers } = state.next(Signal::Traces, now) else {
            panic!("nothing is sent");
        };
        for took in [first, second] {
            now = now + millis(took);
            push(&mut state);
            let batch = state.buffer.take(Signal::Traces, u64::MAX).unwrap();
            let _ = state.settle(batch, delivered(), now);
        }
        assert!(end < state.buffer.end());
        state.answer(Signal::Traces, answers, now);
        // Nothing is sent here, which says nothing.
        let asked = state.ask().unwrap();
        state.next(Signal::Traces, now);
        state.answer(Signal::Traces, asked.flush, now);
        assert_eq!(wait_for(&mut state) == ALL, is_in_time, "{first} {second}");
    }
}

#[test]
fn signal_that_is_off_keeps_nothing_and_nobody_waiting() {
    let settings = Settings::read(|_| None).unwrap().unwrap();
    let mut state = State::new(&settings, [Some("http://t".to_owned()), None, None]);
    for signal in [Signal::Traces, Signal::Logs] {
        state.push(signal, vec![0; 10]);
    }
    state.metrics_changed();
    assert_eq!(
        ALL.map(|signal| state.buffer.waits(signal)),
        [true, false, false]
    );
    assert_eq!(wait_for(&mut state), [Signal::Traces]);
    assert!(!state.leftover().unwrap().contains("metrics"));
}

#[test]
fn warning_in_a_success_is_not_an_outage() {
    let (mut state, now) = (at_end(), Time::now());
    let warned = Outcome::Delivered {
        rejected: 0,
        message: "old schema".to_owned(),
    };
    push(&mut state);
    state.ask().unwrap();
    let (_, line) = send(&mut state, warned, now);
    assert!(
        line.unwrap()
            .starts_with("warning: http://t took 1 span with a warning: old schema (")
    );
    push(&mut state);
    state.ask().unwrap();
    assert_eq!(send(&mut state, delivered(), now + seconds(2)).1, None);
}

#[test]
fn refusal_that_is_told_of_does_not_feed_itself() {
    let (mut state, start) = (at_end(), Time::now());
    let mut told = Vec::new();
    // Each line comes back as one more log record, and with it the next refusal, a second later.
    for second in 0..100 {
        push(&mut state);
        state.ask().unwrap();
        let refused = Outcome::Refused {
            why: format!("status 401 Unauthorized: request {second}"),
        };
        if let (_, Some(line)) = send(&mut state, refused, start + seconds(second)) {
            assert!(
                line.contains(&format!("rejected: {} spans", second + 1)),
                "{line}"
            );
            told.push(second);
        }
    }
    assert_eq!(told, [0, 1, 3, 7, 15, 31, 63]);
}

#[test]
fn what_became_of_items_is_counted_and_said() {
    let (mut state, now) = (at_end(), Time::now());
    for _ in 0..5 {
        push(&mut state);
    }
    state.ask().unwrap();
    let partial = Outcome::Delivered {
        rejected: 2,
        message: "too old".to_owned(),
    };
    let (settled, line) = send(&mut state, partial, now);
    assert_eq!(settled, Settled::Continue);
    assert_eq!(
        line.unwrap(),
        "warning: http://t rejected 2 spans of 5 spans: too old (so far exported: 3 spans, 0 log records; \
         rejected: 2 spans, 0 log records)"
    );

    let refused = || Outcome::Refused {
        why: "status 400 Bad Request".to_owned(),
    };
    push(&mut state);
    state.ask().unwrap();
    assert_eq!(send(&mut state, refused(), now), (Settled::Continue, None));
    push(&mut state);
    state.ask().unwrap();
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
        state.ask().unwrap();
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
    while state.buffer.dropped() == before {
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
    state.ask().unwrap();
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
