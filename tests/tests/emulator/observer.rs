//! Tests of panics in an observer: a failed assertion in an observer fails the test, whatever the test is doing.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fg_emulator::{Event, ExtensionCommand, Faults, Platform};
use fg_extension_tests::post;
use tokio::time::timeout;

use super::instance::Instance;
use super::processes::{FIXTURE, FOREIGN, PROCESS_TREE, TIMEOUT, when_closed};

const SCRIPT: &str = "extensionForeign.sh";

/// Starts a platform whose observer panics on the matching events.
async fn panics_on(matches: impl Fn(&Event) -> bool + Send + Sync + 'static) -> Platform {
    let platform = Platform::builder()
        .faults(Faults::parse("event-huge", 0).unwrap())
        .observer(move |event| assert!(!matches(event), "unexpected {event:?}"))
        .start();
    platform.await.unwrap()
}

/// Awaits the future in its own task, and returns the message of its panic.
async fn panic_of<T: std::fmt::Debug + Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> String {
    let outcome = timeout(TIMEOUT, tokio::spawn(future)).await.unwrap();
    message(outcome.unwrap_err().into_panic())
}

fn message(panic: Box<dyn Any + Send>) -> String {
    *panic.downcast::<String>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_during_a_boot_is_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let closed = when_closed(&fifo);
    let platform = panics_on(|event| matches!(event, Event::ApiRequest(_))).await;
    let command = ExtensionCommand::new(SCRIPT, "sh")
        .arg("-c")
        .arg(PROCESS_TREE)
        .arg(&fifo)
        .arg(FOREIGN);
    let panic = panic_of(async move { platform.boot(command.lease_port()).await }).await;
    assert!(panic.starts_with("unexpected ApiRequest("), "{panic}");
    closed.recv_timeout(TIMEOUT).unwrap();
}

#[tokio::test]
async fn panic_takes_precedence_over_a_failed_boot() {
    let platform = panics_on(|event| matches!(event, Event::Output(_))).await;
    let command = ExtensionCommand::new(SCRIPT, "echo").arg("no stars");
    let panic = panic_of(async move { platform.boot(command).await }).await;
    assert!(panic.contains("no stars"), "{panic}");
}

#[tokio::test]
async fn panic_during_an_invocation_is_resumed() {
    let platform = panics_on(|event| matches!(event, Event::FaultInjected { .. })).await;
    platform.boot_bin(SCRIPT, FOREIGN).await.unwrap();
    let panic = panic_of(async move { platform.invoke().await }).await;
    assert!(panic.starts_with("unexpected FaultInjected"), "{panic}");
}

#[tokio::test]
async fn panic_is_resumed_while_the_test_waits_for_an_exit() {
    let platform = panics_on(|event| matches!(event, Event::Rejected { .. })).await;
    platform.boot_bin(SCRIPT, FOREIGN).await.unwrap();
    let port = platform.address().port();
    let waits = panic_of(async move { platform.wait_for_exit().await });
    let rejected = tokio::task::spawn_blocking(move || post(port, "/logs", "{}").status);
    let (panic, status) = tokio::join!(waits, rejected);
    assert!(panic.starts_with("unexpected Rejected"), "{panic}");
    // The platform's own task is not affected.
    assert_eq!(status.unwrap(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_during_the_delivery_of_telemetry_is_resumed() {
    let instance = Instance::asserting(|event| {
        assert!(
            !matches!(event, Event::TelemetryDelivered { .. }),
            "unexpected {event:?}"
        );
    })
    .await;
    assert_eq!(instance.subscribe(&["function"]).status, 200);
    let Instance { platform, .. } = &instance;
    platform.invoke().await.unwrap();
    instance.receive("200 OK").await;
    let Instance {
        platform, _leases, ..
    } = instance;
    let panic = panic_of(async move { platform.wait_for_telemetry().await }).await;
    assert!(
        panic.starts_with("unexpected TelemetryDelivered"),
        "{panic}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_during_a_shutdown_is_resumed_after_it() {
    let platform =
        panics_on(|event| matches!(event, Event::Output(line) if line.text == "bye")).await;
    // The trap is set first, because the signal may arrive as soon as the extension has registered.
    let prints_bye =
        r#"trap 'wait $child; echo bye' TERM; "$0" & child=$!; wait $child; wait $child"#;
    let command = ExtensionCommand::new("extensionFixture.sh", "sh")
        .arg("-c")
        .arg(prints_bye)
        .arg(FIXTURE);
    let registered = platform.boot(command.lease_port()).await.unwrap();
    let panic = panic_of(platform.shutdown()).await;
    assert!(panic.contains("bye"), "{panic}");
    // The process was stopped nevertheless.
    let process = format!("/proc/{}", registered.pid.unwrap());
    assert!(!std::fs::exists(process).unwrap());
}

#[tokio::test]
async fn panic_is_resumed_when_the_platform_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let closed = when_closed(&fifo);
    let platform = panics_on(|event| matches!(event, Event::Rejected { .. })).await;
    let command = ExtensionCommand::new(SCRIPT, "sh")
        .arg("-c")
        .arg(PROCESS_TREE)
        .arg(&fifo)
        .arg(FOREIGN);
    platform.boot(command.lease_port()).await.unwrap();
    let port = platform.address().port();
    let status = tokio::task::spawn_blocking(move || post(port, "/logs", "{}").status);
    assert_eq!(status.await.unwrap(), 404);

    let panic = catch_unwind(AssertUnwindSafe(|| drop(platform))).unwrap_err();
    assert!(message(panic).starts_with("unexpected Rejected"));
    // All processes were killed nevertheless.
    closed.recv_timeout(TIMEOUT).unwrap();
}

#[tokio::test]
async fn panic_of_the_test_itself_takes_precedence() {
    let platform = panics_on(|event| matches!(event, Event::Rejected { .. })).await;
    let port = platform.address().port();
    let status = tokio::task::spawn_blocking(move || post(port, "/logs", "{}").status);
    assert_eq!(status.await.unwrap(), 404);
    let panic = panic_of(async move {
        // A second panic during the drop would abort the process.
        let _platform = platform;
        panic!("{}", "of the test")
    });
    let panic: String = panic.await;
    assert_eq!(panic, "of the test");
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_is_resumed_once() {
    let platform =
        std::sync::Arc::new(panics_on(|event| matches!(event, Event::FaultInjected { .. })).await);
    platform.boot_bin(SCRIPT, FOREIGN).await.unwrap();
    let invoking = std::sync::Arc::clone(&platform);
    panic_of(async move { invoking.invoke().await }).await;
    let platform = std::sync::Arc::into_inner(platform).unwrap();
    assert!(platform.shutdown().await.unwrap().extensions.len() == 1);
}
