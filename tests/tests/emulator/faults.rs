//! Faults by a seed, against extensions of ours: none of them loses anything.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fg_emulator::{Boot, Event, Faults, Outcome, Platform, Stream};

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

/// A platform with these faults, and what it tells of them.
async fn platform(spec: &str, seed: u64) -> (Platform, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let platform = Platform::builder()
        .faults(Faults::parse(spec, seed).unwrap())
        .observer(move |event| {
            if let Event::Fault { fault, what } = event {
                log.lock().unwrap().push(format!("{fault}: {what}"));
            }
        })
        .start();
    (platform.await.unwrap(), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_is_tried_again() {
    let spec = "register-503*2,register-reset,register-slow";
    let (platform, told) = platform(spec, 0).await;
    let registered = platform
        .boot_bin("extensionFixture.sh", FIXTURE)
        .await
        .unwrap();
    assert!(registered.took >= Duration::from_secs(1));
    platform.invoke().await.unwrap().assert_ok();
    assert!(platform.shutdown().await.unwrap().clean());
    assert_eq!(
        *told.lock().unwrap(),
        [
            "register-reset: a registration's connection was reset",
            "register-503: a registration was answered with 503",
            "register-503: a registration was answered with 503",
            "register-slow: a registration is answered after a second",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_registration_has_the_seed_and_the_end() {
    let (platform, _) = platform("register-refused", 77).await;
    let error = platform
        .boot_bin("extensionFixture.sh", FIXTURE)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "extensionFixture.sh ended with exit status: 1 before it registered (faults by seed 77)"
    );
    let stopped = error.stopped().unwrap();
    assert_eq!(
        (stopped.status.code(), stopped.took),
        (Some(1), Duration::ZERO)
    );
    assert!(
        stopped
            .printed(Stream::Stderr)
            .contains("InjectedFault: fault `register-refused`")
    );
    // The next one is not struck.
    platform
        .boot_bin("extensionFixture.sh", FIXTURE)
        .await
        .unwrap();
    assert!(platform.shutdown().await.unwrap().clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_bad_day() {
    let (platform, told) = platform(
        "event-duplicate,event-late,event-malformed,event-huge,freeze",
        0,
    )
    .await;
    platform
        .boot_bin("extensionFixture.sh", FIXTURE)
        .await
        .unwrap();
    let invocation = fg_emulator::Invocation::new().duration(Duration::from_millis(20));
    let invoked = platform.invoke_with(invocation).await.unwrap();
    invoked.assert_ok();
    assert_eq!(
        (invoked.replies.len(), invoked.function.outcome),
        (2, Outcome::Ok)
    );
    for reply in &invoked.replies {
        assert!(reply.after >= invoked.function.took, "{invoked:?}");
    }
    let shutdown = platform.shutdown().await.unwrap();
    assert!(shutdown.clean(), "{shutdown:?}");
    let line = format!("invoked {}\nhandled {0}\n", invoked.trace_id);
    assert_eq!(
        shutdown.extensions[0].printed(Stream::Stdout),
        line.repeat(2)
    );
    assert_eq!(
        *told.lock().unwrap(),
        [
            "freeze: the instance was frozen before an invocation",
            "event-late: the event comes after the function's end",
            "event-huge: the event has a field of 5 MiB",
            "event-duplicate: the event is posted twice",
            "event-malformed: extensionFixture.sh answered 400 to an event that is cut off",
            "freeze: the instance was frozen after an invocation",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_before_and_after() {
    for spec in ["telemetry-before", "telemetry-after"] {
        let delivered = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&delivered);
        let platform = Platform::builder()
            .faults(Faults::parse(spec, 0).unwrap())
            .observer(move |event| {
                if let Event::TelemetryDelivered { start, took, .. } = event {
                    log.lock().unwrap().push((*start, *start + *took));
                }
            });
        let platform = platform.start().await.unwrap();
        let boot = Boot::new("extensionForeign.sh", env!("CARGO_BIN_EXE_foreign"));
        platform
            .boot(boot.lease_port().lease_telemetry_port())
            .await
            .unwrap();
        platform.subscribed().await.unwrap();
        let invoked = platform.invoke().await.unwrap();
        platform.telemetry_delivered().await;
        platform.shutdown().await.unwrap();
        let (began, ended) = delivered.lock().unwrap()[0];
        let call = invoked.start + invoked.replies[0].after;
        let answer = call + invoked.replies[0].round_trip;
        match spec {
            "telemetry-before" => assert!(ended <= call),
            _ => assert!(began >= answer),
        }
    }
}

#[tokio::test]
#[should_panic(expected = "not answered with 200 (faults by seed 5)")]
async fn failing_assertion_has_the_seed() {
    let (platform, _) = platform("event-duplicate", 5).await;
    // It answers with 418.
    let boot = Boot::new("extensionForeign.sh", env!("CARGO_BIN_EXE_foreign"));
    platform.boot(boot.lease_port()).await.unwrap();
    platform.invoke().await.unwrap().assert_ok();
}
