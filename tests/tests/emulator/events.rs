//! Tests of the events that a tool needs to draw what happens on the instance: their times, bodies and order.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use fg_emulator::{Event, ExtensionCommand, Fault, FaultRate, Faults, InvokeRequest, Platform};
use fg_extension_tests::golden;
use serde_json::Value;

use super::instance::Instance;
use super::processes::{FIXTURE, FOREIGN};

const SCRIPT: &str = "extensionFixture.sh";

/// What an observer wrote down.
type Log<T> = Arc<Mutex<Vec<T>>>;

/// Starts a platform whose observer writes down what `map` returns.
async fn observed<T: Send + 'static>(
    map: impl Fn(&Event) -> Option<T> + Send + Sync + 'static,
) -> (Platform, Log<T>) {
    let log = Log::default();
    let writer = Arc::clone(&log);
    let platform = Platform::builder()
        .observer(move |event| writer.lock().unwrap().extend(map(event)))
        .start();
    (platform.await.unwrap(), log)
}

fn take<T>(log: &Log<T>) -> Vec<T> {
    std::mem::take(&mut *log.lock().unwrap())
}

fn freezes(event: &Event) -> Option<&'static str> {
    match event {
        Event::Frozen => Some("frozen"),
        Event::Thawed => Some("thawed"),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn freezes_and_thaws_are_reported_when_they_change_something() {
    let (platform, log) = observed(freezes).await;
    platform.boot_bin(SCRIPT, FIXTURE).await.unwrap();
    platform.thaw();
    platform.invoke().await.unwrap().assert_ok();
    assert_eq!(take(&log), [""; 0]);

    platform.freeze();
    platform.freeze();
    assert!(platform.is_frozen());
    assert_eq!(take(&log), ["frozen"]);
    platform.invoke().await.unwrap().assert_ok();
    assert!(!platform.is_frozen());
    assert_eq!(take(&log), ["thawed"]);

    platform.restore().await;
    assert_eq!(take(&log), ["frozen", "thawed"]);

    let freeze = FaultRate::Probability(1.0);
    platform.set_faults(Faults::new(0).with(Fault::Freeze, freeze));
    platform.invoke().await.unwrap().assert_ok();
    assert_eq!(take(&log), ["frozen", "thawed", "frozen", "thawed"]);

    platform.freeze();
    assert!(platform.shutdown().await.unwrap().is_clean());
    assert_eq!(take(&log), ["frozen", "thawed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_replaced() {
    let (platform, log) = observed(|event| match event {
        Event::FaultInjected { fault, .. } => Some(*fault),
        _ => None,
    })
    .await;
    platform.set_faults(Faults::parse("register-503,event-duplicate*1", 0).unwrap());
    platform.boot_bin(SCRIPT, FIXTURE).await.unwrap();
    for responses in [2, 1] {
        let invoked = platform.invoke().await.unwrap();
        assert_eq!(invoked.responses.len(), responses);
    }
    assert_eq!(
        take(&log),
        [Fault::RegisterUnavailable, Fault::EventDuplicate]
    );
    platform.set_faults(Faults::parse("event-duplicate*1", 0).unwrap());
    assert_eq!(platform.invoke().await.unwrap().responses.len(), 2);
    platform.set_faults(Faults::default());
    platform
        .boot_bin("extensionForeign.sh", FOREIGN)
        .await
        .unwrap();
    assert_eq!(take(&log), [Fault::EventDuplicate]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lifecycle_has_times() {
    let before = Instant::now();
    let (platform, log) = observed(|event| match event {
        Event::Registered {
            started_at,
            registered_at,
            ..
        } => {
            let started_at = started_at.unwrap();
            Some(("registered", started_at, *registered_at - started_at))
        }
        Event::FunctionInitialized {
            started_at,
            duration,
            ..
        } => Some(("initialized", *started_at, *duration)),
        _ => None,
    })
    .await;
    let registered = platform.boot_bin(SCRIPT, FIXTURE).await.unwrap();
    let bootstrap = env!("CARGO_BIN_EXE_bootstrap");
    platform.boot_function(bootstrap).await.unwrap();
    let events = take(&log);
    let [first, second] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (first.0, first.2),
        ("registered", registered.startup_duration)
    );
    assert_eq!(second.0, "initialized");
    assert!(before <= first.1 && first.1 + first.2 <= second.1);
    assert!(second.1 + second.2 <= Instant::now() && !second.2.is_zero());

    let invoked = platform.invoke().await.unwrap();
    let event: Value = serde_json::from_slice(&invoked.event).unwrap();
    let mut expected = golden("invoke-request.json");
    expected["traceId"] = invoked.trace_id.into();
    assert_eq!(event, expected);

    // The function is started again after its process has exited.
    let request = InvokeRequest::new().payload("exit");
    platform.invoke_with(request).await.unwrap();
    platform.invoke().await.unwrap();
    assert_eq!(take(&log).len(), 1);

    let before = Instant::now();
    let report = platform.shutdown().await.unwrap();
    let exits = [
        report.function.unwrap(),
        report.extensions.into_iter().next().unwrap(),
    ];
    let mut last = before;
    for exit in exits {
        let (requested_at, duration) =
            (exit.stop_requested_at.unwrap(), exit.stop_duration.unwrap());
        assert!(last <= requested_at && requested_at <= exit.exited_at);
        assert!(exit.exited_at <= requested_at + duration);
        last = requested_at;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_has_a_time_but_no_request() {
    let (platform, _) = observed(|_| None::<()>).await;
    let boot = ExtensionCommand::new("extensionForeign.sh", FOREIGN).lease_port();
    platform.boot(boot).await.unwrap();
    let before = Instant::now();
    let pid = platform
        .boot_bin(SCRIPT, FIXTURE)
        .await
        .unwrap()
        .pid
        .unwrap();
    std::process::Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status()
        .unwrap();
    assert_eq!(platform.wait_for_exit().await, SCRIPT);
    let after = Instant::now();
    let report = platform.shutdown().await.unwrap();
    let exit = &report.extensions[0];
    assert_eq!((exit.stop_requested_at, exit.stop_duration), (None, None));
    assert!(before <= exit.exited_at && exit.exited_at <= after);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_a_synthetic_function_are_reported() {
    let (platform, log) = observed(|event| match event {
        Event::FunctionLogged { trace_id, text, .. } => Some(format!("{trace_id}: {text}")),
        _ => None,
    })
    .await;
    platform.boot_bin(SCRIPT, FIXTURE).await.unwrap();
    let request = InvokeRequest::new()
        .trace_id("t1")
        .log("a")
        .log("b\n\u{1b}[2J");
    platform.invoke_with(request).await.unwrap();
    assert_eq!(take(&log), ["t1: a", "t1: b\n\u{1b}[2J"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_and_bodies_of_telemetry_are_reported() {
    let log = Log::default();
    let writer = Arc::clone(&log);
    let mut instance = Instance::asserting(move |event| {
        let entry = match event {
            Event::TelemetryAttemptFailed {
                events,
                started_at,
                round_trip,
                reason,
                ..
            } => {
                assert!(*started_at + *round_trip <= Instant::now());
                format!("{events} failed: {reason}")
            }
            Event::TelemetryDelivered { events, body, .. } => {
                format!("{events} delivered: {}", text(body))
            }
            Event::TelemetryLost {
                events,
                reason,
                body,
                ..
            } => format!("{events} lost: {reason}: {}", text(body)),
            _ => return,
        };
        writer.lock().unwrap().push(entry);
    })
    .await;
    // The first batch contains the line that the extension printed after its registration.
    assert_eq!(instance.subscribe(&["extension"]).status, 200);
    let uri = format!("http://127.0.0.1:{}", instance.port);
    let first = instance.receive("503 Service Unavailable").await;
    assert_eq!(instance.receive("413 Content Too Large").await, first);
    instance.platform.wait_for_telemetry().await;
    assert_eq!(
        take(&log),
        [
            format!("1 failed: {uri} responded with status 503"),
            format!("1 failed: {uri} responded with status 413"),
            format!("1 lost: {uri} responded with status 413: {first}"),
        ]
    );

    instance.platform.invoke().await.unwrap();
    let second = instance.receive("200 OK").await;
    instance.platform.wait_for_telemetry().await;
    assert_eq!(take(&log), [format!("1 delivered: {second}")]);

    // At a shutdown, the batch in flight and the buffered events are lost.
    instance.platform.invoke().await.unwrap();
    let (_stream, third) = instance.accept().await;
    instance.platform.invoke().await.unwrap();
    let platform = std::mem::replace(&mut instance.platform, Platform::start().await.unwrap());
    platform.shutdown().await.unwrap();
    let lost = take(&log);
    let [lost] = &lost[..] else {
        panic!("{lost:?}")
    };
    let start = "2 lost: the instance was shut down before delivery: ";
    let lost: Vec<Value> = serde_json::from_str(lost.strip_prefix(start).unwrap()).unwrap();
    let third: Vec<Value> = serde_json::from_str(&third).unwrap();
    assert_eq!((lost.len(), &lost[..1]), (2, &third[..]));
}

fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).unwrap()
}
