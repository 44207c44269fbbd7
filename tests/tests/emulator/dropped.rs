//! Futures that are dropped half way, and what comes meanwhile: nothing is left behind, and nothing hangs.

use std::future::{Future, ready};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fg_emulator::{Event, ExtensionCommand, Faults, FunctionOutcome, InvokeRequest, Platform};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

use super::processes::{FAMILY, FIXTURE, FOREIGN, PATIENCE, is_stopped, when_closed};

const BOOTSTRAP: &str = env!("CARGO_BIN_EXE_bootstrap");
const SLEEPS: &str = "echo up; exec sleep 1000";

/// A platform, and the lines that its processes print.
async fn listening(faults: &str) -> (Platform, watch::Receiver<Vec<String>>) {
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

async fn printed(lines: &mut watch::Receiver<Vec<String>>, start: &str) {
    let found = lines.wait_for(|lines| lines.iter().any(|line| line.starts_with(start)));
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.unwrap().unwrap();
}

/// Cancels the future when the other one is done.
async fn cancelled<T: std::fmt::Debug>(future: impl Future<Output = T>, then: impl Future) {
    tokio::select! {
        biased;
        done = future => panic!("{done:?}"),
        _ = then => {}
    }
}

#[tokio::test]
async fn name_is_free_again() {
    let (platform, mut lines) = listening("").await;
    let script = "extensionFixture.sh";
    cancelled(platform.attach(script), ready(())).await;
    let boot = ExtensionCommand::new(script, "sh")
        .arg("-c")
        .arg(SLEEPS)
        .lease_port();
    cancelled(platform.boot(boot), printed(&mut lines, "up")).await;
    platform.boot_bin(script, FIXTURE).await.unwrap();
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn nested_platform_is_dropped_with_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let closed = when_closed(&fifo);
    let (platform, mut lines) = listening("").await;
    let lease = tokio::task::spawn_blocking(fg_emulator::PortLease::acquire);
    let lease = lease.await.unwrap().unwrap();
    let boot = ExtensionCommand::new("extensionHost.sh", env!("CARGO_BIN_EXE_host"))
        .env("FG_EXTENSION_PORT", lease.port().to_string())
        .arg("extensionForeign.sh")
        .arg("sh")
        .arg("-c")
        .arg(FAMILY)
        .arg(&fifo)
        .arg(FOREIGN);
    cancelled(platform.boot(boot), printed(&mut lines, "up")).await;
    closed.recv_timeout(PATIENCE).unwrap();
}

#[tokio::test]
async fn telemetry_does_not_wait_for_a_cancelled_invocation() {
    let (platform, mut lines) = listening("telemetry-after").await;
    let boot = ExtensionCommand::new("extensionForeign.sh", FOREIGN);
    let boot = boot.lease_port().lease_telemetry_port();
    platform.boot(boot).await.unwrap();
    platform.wait_for_subscription().await.unwrap();
    let invocation = InvokeRequest::new().duration(PATIENCE * 10);
    let called = printed(&mut lines, "POST /extension/invoke");
    cancelled(platform.invoke_with(invocation), called).await;
    let delivered = tokio::time::timeout(PATIENCE, platform.wait_for_telemetry());
    delivered.await.unwrap();
    let shutdown = platform.shutdown().await.unwrap();
    let telemetry = shutdown.extensions[0].stderr();
    assert!(telemetry.contains("platform.start"), "{telemetry}");
}

// On one thread, so that the function cannot ask between the event and its end.
#[tokio::test]
async fn function_gets_no_cancelled_event() {
    let (platform, _) = listening("").await;
    platform
        .boot_bin("extensionFixture.sh", FIXTURE)
        .await
        .unwrap();
    platform.boot_function(BOOTSTRAP).await.unwrap();
    let invocation = |payload: &'static str| InvokeRequest::new().payload(payload);
    cancelled(platform.invoke_with(invocation("first")), ready(())).await;
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
async fn instance_has_one_function() {
    let (platform, mut lines) = listening("").await;
    let folder = tempfile::tempdir().unwrap();
    let silent = folder.path().join("bootstrap");
    std::fs::write(&silent, format!("#!/bin/sh\n{SLEEPS}\n")).unwrap();
    std::fs::set_permissions(&silent, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    cancelled(platform.boot_function(&silent), printed(&mut lines, "up")).await;
    let (first, second) = tokio::join!(
        platform.boot_function(BOOTSTRAP),
        platform.boot_function(BOOTSTRAP)
    );
    first.unwrap();
    assert_eq!(
        second.unwrap_err().to_string(),
        "there is a function already, and an instance has one"
    );
    assert!(platform.shutdown().await.unwrap().function.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_waiter_sees_exits_of_extensions_booted_later() {
    let (platform, _) = listening("").await;
    let platform = Arc::new(platform);
    let wait = || {
        let platform = Arc::clone(&platform);
        tokio::spawn(async move { platform.wait_for_exit().await })
    };
    let waiting = [wait(), wait()];
    let registered = platform.boot_bin("extensionFixture.sh", FIXTURE).await;
    let pid = registered.unwrap().pid.unwrap();
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
    for ended in waiting {
        let ended = tokio::time::timeout(PATIENCE, ended).await;
        assert_eq!(ended.unwrap().unwrap(), "extensionFixture.sh");
    }
}

#[tokio::test]
async fn cancelled_restoration_is_thawed() {
    let (platform, _) = listening("").await;
    let registered = platform.boot_bin("extensionFixture.sh", FIXTURE).await;
    let pid = registered.unwrap().pid.unwrap();
    cancelled(platform.restore(), async { assert!(is_stopped(pid)) }).await;
    assert!(!is_stopped(pid));
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn freeze_during_an_invocation_outlasts_it() {
    let (platform, mut lines) = listening("").await;
    let registered = platform.boot_bin("extensionFixture.sh", FIXTURE).await;
    let pid = registered.unwrap().pid.unwrap();
    let invocation = InvokeRequest::new().duration(Duration::from_millis(300));
    let freeze = async {
        printed(&mut lines, "handled").await;
        // Once it has answered the second one, it has answered the first one too.
        platform.invoke().await.unwrap().assert_ok();
        platform.freeze();
    };
    let (invoked, ()) = tokio::join!(platform.invoke_with(invocation), freeze);
    invoked.unwrap().assert_ok();
    assert!(is_stopped(pid));
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn freeze_does_not_wait_for_an_exited_process() {
    let platform = Platform::start().await.unwrap();
    // The shell is nearly always about to start a child, by vfork; its child stops before it can go on.
    let forks = format!("'{FOREIGN}' & while :; do /bin/true; done");
    let boot = ExtensionCommand::new("extensionForeign.sh", "sh")
        .arg("-c")
        .arg(forks);
    platform.boot(boot.lease_port()).await.unwrap();
    let (sender, done) = mpsc::channel();
    std::thread::spawn(move || {
        // A hundred polls each at the worst, a millisecond apart, or far more on a busy machine.
        for _ in 0..10 {
            platform.freeze();
            platform.thaw();
        }
        sender.send(platform).unwrap();
    });
    let platform = done.recv_timeout(PATIENCE * 3).unwrap();
    platform.shutdown().await.unwrap();
}
