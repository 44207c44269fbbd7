//! Every pair of five examples in one function, and one program as two extensions.

use std::time::Duration;

use fg_emulator::{Error, Event, ExtensionCommand, InvokeResult, Platform};
use tokio::sync::watch;
use tokio::time::timeout;

use super::collector::Collector;
use super::programs::{PROGRAMS, Program, one_at_a_time};
use crate::emulator::processes::{TIMEOUT, is_stopped};

/// What a second subscriber logs.
const SECOND_SUBSCRIBER: &str = "continuing without telemetry: the platform at ";

/// The default of `FG_SHUTDOWN_TIMEOUT`, and room for a busy machine.
const DEADLINE: Duration = Duration::from_secs(3);

/// The platform does not say in which order it starts extensions (?), so each pair boots in both orders.
#[tokio::test]
async fn every_pair_of_examples_runs_together() -> Result<(), Error> {
    let _turn = one_at_a_time().await;
    for first in &PROGRAMS {
        for second in PROGRAMS.iter().filter(|it| it.package != first.package) {
            eprintln!("{} and {}", first.package, second.package);
            run_together(first, second).await?;
        }
    }
    Ok(())
}

async fn run_together(first: &Program, second: &Program) -> Result<(), Error> {
    let directory = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let (platform, mut printed) = platform().await?;
    let mut pids = Vec::new();
    for program in [first, second] {
        let command = program.leased(directory.path(), &collector);
        let registered = platform.boot(command).await?;
        assert_eq!(registered.script, program.script);
        pids.push(registered.pid.unwrap());
        // Otherwise the second could subscribe before the first.
        if first.subscribes && program.script == first.script {
            platform.wait_for_subscription().await?;
        }
    }
    let both_subscribe = first.subscribes && second.subscribes;
    if both_subscribe {
        let prefix = format!("ERROR {}: {SECOND_SUBSCRIBER}", second.script);
        let has_line = |lines: &Vec<String>| lines.iter().any(|line| line.starts_with(&prefix));
        wait_for(&mut printed, has_line).await;
    } else if second.subscribes {
        platform.wait_for_subscription().await?;
    }

    let mut trace_ids = Vec::new();
    for _ in 0..2 {
        trace_ids.push(assert_both(&platform.invoke().await?));
    }
    // The telemetry of the last invocation may arrive after the freeze.
    platform.freeze();
    while !pids.iter().all(|pid| is_stopped(*pid)) {
        tokio::task::yield_now().await;
    }
    platform.thaw();
    trace_ids.push(assert_both(&platform.invoke().await?));
    platform.wait_for_telemetry().await;

    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    assert_eq!(shutdown.extensions.len(), 2);
    for program in [first, second] {
        let exits = &shutdown.extensions;
        let exit = exits.iter().find(|it| it.script == program.script).unwrap();
        assert!(exit.stop_duration.unwrap() < DEADLINE, "{exit:?}");
        let is_second_subscriber = both_subscribe && program.script == second.script;
        let stderr = exit.stderr();
        if is_second_subscriber {
            assert_second_subscriber(&stderr, program.script);
        } else {
            assert_eq!(stderr, "", "{}", program.package);
        }
        let is_subscribed = program.subscribes && !is_second_subscriber;
        let directory = directory.path();
        program.assert_complete(exit, &trace_ids, is_subscribed, directory, &collector);
    }
    Ok(())
}

/// Asserts that a second subscriber logs one line, which says who could not subscribe, why, and what to do.
fn assert_second_subscriber(stderr: &str, script: &str) {
    let hint = "; a function can have only one subscriber: if another extension subscribes, remove one of them\n";
    assert!(
        stderr.starts_with(&format!("ERROR {script}: {SECOND_SUBSCRIBER}"))
            && stderr.contains(" is already subscribed to telemetry")
            && stderr.ends_with(hint)
            && stderr.lines().count() == 1,
        "{stderr}"
    );
}

/// A program that decides at run time which extension it is, as a custom `main` may.
#[tokio::test]
async fn one_program_can_be_two_extensions() -> Result<(), Error> {
    let _turn = one_at_a_time().await;
    let (platform, _) = platform().await?;
    for (script, argument) in [
        ("extensionFirst.sh", "first"),
        ("extensionSecond.sh", "second"),
    ] {
        let command = ExtensionCommand::new(script, env!("CARGO_BIN_EXE_twins")).arg(argument);
        platform.boot(command.lease_port()).await?;
    }
    let trace_id = assert_both(&platform.invoke().await?);
    platform.freeze();
    platform.thaw();
    assert_both(&platform.invoke().await?);
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    for (exit, name) in shutdown.extensions.iter().zip(["first", "second"]) {
        assert!(exit.stdout().starts_with(&format!("{name} {trace_id}\n")));
    }
    Ok(())
}

/// A program registers under the name that is compiled into it, whatever its start script is called.
#[tokio::test]
async fn copy_under_another_script_name_is_rejected() -> Result<(), Error> {
    let _turn = one_at_a_time().await;
    let directory = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let (platform, _) = platform().await?;
    let hello = &PROGRAMS[0];
    let original = hello.leased(directory.path(), &collector);
    platform.boot(original).await?;
    let lease = tokio::task::spawn_blocking(fg_emulator::PortLease::acquire);
    let lease = lease.await.unwrap()?;
    let copy = hello.renamed("extensionCopy.sh", directory.path(), &collector);
    let copy = copy.env("FG_EXTENSION_PORT", lease.port().to_string());
    let error = platform.boot(copy).await.unwrap_err();
    let exit = error.process_exit().unwrap();
    assert_eq!(exit.status.code(), Some(1));
    let stderr = exit.stderr();
    assert!(
        stderr.starts_with("ERROR extensionHello.sh: the platform at ")
            && stderr.contains(" rejected the registration of extensionHello.sh at ")
            && stderr.contains("extensionHello.sh is already registered")
            && stderr.lines().count() == 1,
        "{stderr}"
    );
    // The original is not affected.
    platform.invoke().await?.assert_ok();
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

/// Asserts that both extensions have responded with status 200. Returns the trace ID.
pub(crate) fn assert_both(invoked: &InvokeResult) -> String {
    invoked.assert_ok();
    assert_eq!(invoked.responses.len(), 2, "{invoked:?}");
    invoked.trace_id.clone()
}

/// Starts a platform, and collects what the extensions print to stderr.
pub(crate) async fn platform() -> Result<(Platform, watch::Receiver<Vec<String>>), Error> {
    let (sender, printed) = watch::channel(Vec::new());
    let observer = move |event: &Event| {
        if let Event::Output(line) = event {
            sender.send_modify(|lines: &mut Vec<String>| lines.push(line.text.clone()));
        }
    };
    Ok((
        Platform::builder().observer(observer).start().await?,
        printed,
    ))
}

/// Waits until the printed lines satisfy the condition.
pub(crate) async fn wait_for(
    printed: &mut watch::Receiver<Vec<String>>,
    condition: impl FnMut(&Vec<String>) -> bool,
) {
    let waited = timeout(TIMEOUT, printed.wait_for(condition)).await;
    drop(waited.expect("the line is printed").unwrap());
}
