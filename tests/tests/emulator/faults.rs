//! Tests of injected faults with extensions built on `fg-extension`, which tolerate all of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fg_emulator::{Event, ExtensionCommand, Faults, FunctionOutcome, Platform};

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

/// Starts a platform with these faults. Returns it with the log of the injected faults.
async fn platform(spec: &str, seed: u64) -> (Platform, Arc<Mutex<Vec<String>>>) {
    let injected = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&injected);
    let platform = Platform::builder()
        .faults(Faults::parse(spec, seed).unwrap())
        .observer(move |event| {
            if let Event::FaultInjected {
                fault, description, ..
            } = event
            {
                log.lock().unwrap().push(format!("{fault}: {description}"));
            }
        })
        .start();
    (platform.await.unwrap(), injected)
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_is_retried() {
    let spec = "register-503*2,register-reset,register-slow";
    let (platform, injected) = platform(spec, 0).await;
    let registered = platform
        .boot_bin("extensionFixture.sh", FIXTURE)
        .await
        .unwrap();
    assert!(registered.startup_duration >= Duration::from_secs(1));
    platform.invoke().await.unwrap().assert_ok();
    assert!(platform.shutdown().await.unwrap().is_clean());
    assert_eq!(
        *injected.lock().unwrap(),
        [
            "register-reset: the connection of a registration was reset",
            "register-503: a registration got status 503",
            "register-503: a registration got status 503",
            "register-slow: the response to a registration is delayed by 1s",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn error_of_a_rejected_registration_contains_the_seed_and_the_exit() {
    let (platform, _) = platform("register-rejected", 77).await;
    let error = platform
        .boot_bin("extensionFixture.sh", FIXTURE)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "extensionFixture.sh exited with status 1 before it registered (fault seed 77)"
    );
    let stopped = error.process_exit().unwrap();
    assert_eq!(
        (stopped.status.code(), stopped.stop_duration),
        (Some(1), None)
    );
    assert!(
        stopped
            .stderr()
            .contains("InjectedFault: fault `register-rejected`")
    );
    // The fault is injected once, so the next registration succeeds.
    platform
        .boot_bin("extensionFixture.sh", FIXTURE)
        .await
        .unwrap();
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn extension_tolerates_event_faults() {
    let (platform, injected) = platform(
        "event-duplicate,event-late,event-malformed,event-huge,freeze",
        0,
    )
    .await;
    platform
        .boot_bin("extensionFixture.sh", FIXTURE)
        .await
        .unwrap();
    let invocation = fg_emulator::InvokeRequest::new().duration(Duration::from_millis(20));
    let invoked = platform.invoke_with(invocation).await.unwrap();
    invoked.assert_ok();
    assert_eq!(
        (invoked.responses.len(), invoked.function.outcome),
        (2, FunctionOutcome::Ok)
    );
    for response in &invoked.responses {
        assert!(
            response.posted_after >= invoked.function.duration,
            "{invoked:?}"
        );
    }
    let shutdown = platform.shutdown().await.unwrap();
    assert!(shutdown.is_clean(), "{shutdown:?}");
    let line = format!("invoked {}\nhandled {0}\n", invoked.trace_id);
    assert_eq!(shutdown.extensions[0].stdout(), line.repeat(2));
    assert_eq!(
        *injected.lock().unwrap(),
        [
            "freeze: the instance was frozen before an invocation",
            "event-late: the event is posted after the function has finished",
            "event-huge: the event has an additional field of 5 MiB",
            "event-duplicate: the event is posted twice",
            "event-malformed: a truncated event was posted; extensionFixture.sh responded with status 400",
            "freeze: the instance was frozen after an invocation",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_is_delivered_before_the_event_or_after_the_response() {
    for spec in ["telemetry-before", "telemetry-after"] {
        let delivered = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&delivered);
        let platform = Platform::builder()
            .faults(Faults::parse(spec, 0).unwrap())
            .observer(move |event| {
                if let Event::TelemetryDelivered {
                    started_at,
                    round_trip,
                    ..
                } = event
                {
                    let times = (*started_at, *started_at + *round_trip);
                    log.lock().unwrap().push(times);
                }
            });
        let platform = platform.start().await.unwrap();
        let boot = ExtensionCommand::new("extensionForeign.sh", env!("CARGO_BIN_EXE_foreign"));
        platform
            .boot(boot.lease_port().lease_telemetry_port())
            .await
            .unwrap();
        platform.wait_for_subscription().await.unwrap();
        let invoked = platform.invoke().await.unwrap();
        platform.wait_for_telemetry().await;
        platform.shutdown().await.unwrap();
        let (delivery_start, delivery_end) = delivered.lock().unwrap()[0];
        let posted_at = invoked.started_at + invoked.responses[0].posted_after;
        let response_time = posted_at + invoked.responses[0].round_trip;
        match spec {
            "telemetry-before" => assert!(delivery_end <= posted_at),
            _ => assert!(delivery_start >= response_time),
        }
    }
}

#[tokio::test]
#[should_panic(expected = "not every extension responded with status 200 (fault seed 5)")]
async fn message_of_a_failed_assertion_contains_the_seed() {
    let (platform, _) = platform("event-duplicate", 5).await;
    // It responds with status 418.
    let boot = ExtensionCommand::new("extensionForeign.sh", env!("CARGO_BIN_EXE_foreign"));
    platform.boot(boot.lease_port()).await.unwrap();
    platform.invoke().await.unwrap().assert_ok();
}
