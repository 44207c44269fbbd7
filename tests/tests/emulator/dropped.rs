//! Tests of cancel safety and concurrency: dropped futures leave no state behind, and concurrent calls do not hang.

use std::future::{Future, ready};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fg_emulator::{Event, ExtensionCommand, Faults, FunctionOutcome, InvokeRequest, Platform};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

use super::processes::{FIXTURE, FOREIGN, PROCESS_TREE, TIMEOUT, is_stopped, when_closed};

const BOOTSTRAP: &str = env!("CARGO_BIN_EXE_bootstrap");
const SLEEPS: &str = "echo up; exec sleep 1000";

/// Starts a platform. The receiver gets the lines that its processes print.
async fn start_platform(faults: &str) -> (Platform, watch::Receiver<Vec<String>>) {
    let (sender, lines) = watch::channel(Vec::new());
    let mut builder = Platform::builder().observer(move |event| {
        if let Event::Output(line) = event {
            sender.send_modify(|lines| lines.push(line.text.clone()));
        }
    });
    if !faults.is_empty() {
        builder = builder.faults(Faults::parse(faults, 0).unwrap());
    }
    (builder.start().await.unwrap(), lines)
}

/// Waits until a process has printed a line with this prefix.
async fn wait_for_line(lines: &mut watch::Receiver<Vec<String>>, prefix: &str) {
    let found = lines.wait_for(|lines| lines.iter().any(|line| line.starts_with(prefix)));
    let found = tokio::time::timeout(TIMEOUT, found).await;
    found.unwrap().unwrap();
}

/// Polls the future until the trigger completes, then drops it.
async fn cancel_after<T: std::fmt::Debug>(future: impl Future<Output = T>, trigger: impl Future) {
    tokio::select! {
        biased;
        output = future => panic!("completed before it was canceled: {output:?}"),
        _ = trigger => {}
    }
}

#[tokio::test]
async fn script_name_is_released_by_a_canceled_boot() {
    let (platform, mut lines) = start_platform("").await;
    let script = "extensionFixture.sh";
    cancel_after(platform.attach(script), ready(())).await;
    let boot = ExtensionCommand::new(script, "sh")
        .arg("-c")
        .arg(SLEEPS)
        .lease_port();
    cancel_after(platform.boot(boot), wait_for_line(&mut lines, "up")).await;
    platform.boot_bin(script, FIXTURE).await.unwrap();
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn processes_of_a_nested_platform_are_killed_with_its_parent() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let closed = when_closed(&fifo);
    let (platform, mut lines) = start_platform("").await;
    let lease = tokio::task::spawn_blocking(fg_emulator::PortLease::acquire);
    let lease = lease.await.unwrap().unwrap();
    let boot = ExtensionCommand::new("extensionHost.sh", env!("CARGO_BIN_EXE_host"))
        .env("FG_EXTENSION_PORT", lease.port().to_string())
        .arg("extensionForeign.sh")
        .arg("sh")
        .arg("-c")
        .arg(PROCESS_TREE)
        .arg(&fifo)
        .arg(FOREIGN);
    cancel_after(platform.boot(boot), wait_for_line(&mut lines, "up")).await;
    closed.recv_timeout(TIMEOUT).unwrap();
}

#[tokio::test]
async fn telemetry_does_not_wait_for_a_canceled_invocation() {
    let (platform, mut lines) = start_platform("telemetry-after").await;
    let boot = ExtensionCommand::new("extensionForeign.sh", FOREIGN);
    let boot = boot.lease_port().lease_telemetry_port();
    platform.boot(boot).await.unwrap();
    platform.wait_for_subscription().await.unwrap();
    let invocation = InvokeRequest::new().duration(TIMEOUT * 10);
    let posted = wait_for_line(&mut lines, "POST /extension/invoke");
    cancel_after(platform.invoke_with(invocation), posted).await;
    let delivered = tokio::time::timeout(TIMEOUT, platform.wait_for_telemetry());
    delivered.await.unwrap();
    let shutdown = platform.shutdown().await.unwrap();
    let telemetry = shutdown.extensions[0].stderr();
    assert!(telemetry.contains("platform.start"), "{telemetry}");
}

// On a single thread, so that the function cannot request the event before it is canceled.
#[tokio::test]
async fn function_does_not_receive_a_canceled_event() {
    let (platform, _) = start_platform("").await;
    platform
        .boot_bin("extensionFixture.sh", FIXTURE)
        .await
        .unwrap();
    platform.boot_function(BOOTSTRAP).await.unwrap();
    let invocation = |payload: &'static str| InvokeRequest::new().payload(payload);
    cancel_after(platform.invoke_with(invocation("first")), ready(())).await;
    let invoked = platform.invoke_with(invocation("second")).await.unwrap();
    assert_eq!(invoked.function.outcome, FunctionOutcome::Ok);
    let function = platform.shutdown().await.unwrap().function.unwrap();
    let printed = function.stdout();
    assert!(
        printed.contains("second") && !printed.contains("first"),
        "{printed}"
    );
}

#[tokio::test]
async fn instance_runs_one_function() {
    let (platform, mut lines) = start_platform("").await;
    let directory = tempfile::tempdir().unwrap();
    let silent = directory.path().join("bootstrap");
    std::fs::write(&silent, format!("#!/bin/sh\n{SLEEPS}\n")).unwrap();
    std::fs::set_permissions(&silent, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    cancel_after(
        platform.boot_function(&silent),
        wait_for_line(&mut lines, "up"),
    )
    .await;
    let (first, second) = tokio::join!(
        platform.boot_function(BOOTSTRAP),
        platform.boot_function(BOOTSTRAP)
    );
    first.unwrap();
    assert_eq!(
        second.unwrap_err().to_string(),
        "cannot boot a second function: an instance runs one function"
    );
    assert!(platform.shutdown().await.unwrap().function.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_waiter_sees_exits_of_extensions_booted_later() {
    let (platform, _) = start_platform("").await;
    let platform = Arc::new(platform);
    let wait = || {
        let platform = Arc::clone(&platform);
        tokio::spawn(async move { platform.wait_for_exit().await })
    };
    let waiting = [wait(), wait()];
    let registered = platform.boot_bin("extensionFixture.sh", FIXTURE).await;
    let pid = registered.unwrap().pid.unwrap();
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
    for waiter in waiting {
        let script = tokio::time::timeout(TIMEOUT, waiter).await;
        assert_eq!(script.unwrap().unwrap(), "extensionFixture.sh");
    }
}

#[tokio::test]
async fn canceled_restoration_thaws_the_instance() {
    let (platform, _) = start_platform("").await;
    let registered = platform.boot_bin("extensionFixture.sh", FIXTURE).await;
    let pid = registered.unwrap().pid.unwrap();
    cancel_after(platform.restore(), async { assert!(is_stopped(pid)) }).await;
    assert!(!is_stopped(pid));
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn freeze_during_an_invocation_outlasts_it() {
    let (platform, mut lines) = start_platform("").await;
    let registered = platform.boot_bin("extensionFixture.sh", FIXTURE).await;
    let pid = registered.unwrap().pid.unwrap();
    let invocation = InvokeRequest::new().duration(Duration::from_millis(300));
    let freeze = async {
        wait_for_line(&mut lines, "handled").await;
        // When it has responded to the second event, it has responded to the first one too.
        platform.invoke().await.unwrap().assert_ok();
        platform.freeze();
    };
    let (invoked, ()) = tokio::join!(platform.invoke_with(invocation), freeze);
    invoked.unwrap().assert_ok();
    assert!(is_stopped(pid));
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn freeze_does_not_hang_on_a_process_in_vfork() {
    let platform = Platform::start().await.unwrap();
    // The shell is nearly always in `vfork`. Then its child is stopped, and the shell cannot report that it has stopped.
    let forks = format!("'{FOREIGN}' & while :; do /bin/true; done");
    let boot = ExtensionCommand::new("extensionForeign.sh", "sh")
        .arg("-c")
        .arg(forks);
    platform.boot(boot.lease_port()).await.unwrap();
    let (sender, done) = mpsc::channel();
    std::thread::spawn(move || {
        // In the worst case a freeze polls 100 times, a millisecond apart, or more slowly on a busy machine.
        for _ in 0..10 {
            platform.freeze();
            platform.thaw();
        }
        sender.send(platform).unwrap();
    });
    let platform = done.recv_timeout(TIMEOUT * 3).unwrap();
    platform.shutdown().await.unwrap();
}
