//! Tests of waiting until an extension is ready.

use std::fs::File;
use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fg_emulator::{Event, ExtensionCommand, Platform};
use nix::sys::stat::Mode;
use tokio::sync::Notify;

const SCRIPT: &str = "extensionByHand.sh";

/// Boots an extension whose `init` waits for a line in the returned file, and waits until `init` has started.
async fn boot() -> (Platform, File, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    // Open for both, so that the extension can open it before anything is written.
    let file = File::options().read(true).write(true).open(&fifo).unwrap();
    let started = Arc::new(Notify::new());
    let notify = Arc::clone(&started);
    let platform = Platform::builder().observer(move |event| {
        if matches!(event, Event::Output(line) if line.text == "init") {
            notify.notify_one();
        }
    });
    let platform = platform.start().await.unwrap();
    let command = ExtensionCommand::new(SCRIPT, "sh")
        .arg("-c")
        .arg("exec \"$1\" <\"$0\"")
        .arg(&fifo)
        .arg(env!("CARGO_BIN_EXE_by_hand"));
    platform.boot(command.lease_port()).await.unwrap();
    started.notified().await;
    (platform, file, directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn extension_is_ready_when_init_has_returned() {
    let (platform, mut stdin, _directory) = boot().await;
    {
        let mut ready = pin!(platform.wait_until_ready(SCRIPT));
        // Much longer than a connection takes.
        let early = tokio::time::timeout(Duration::from_millis(100), &mut ready).await;
        assert!(early.is_err(), "`init` has not returned");
        writeln!(stdin).unwrap();
        ready.await.unwrap();
    }
    platform.wait_until_ready(SCRIPT).await.unwrap();
    platform.invoke().await.unwrap().assert_ok();
    let error = platform.wait_until_ready("extensionOther.sh").await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "cannot wait for extensionOther.sh: it is not registered; boot it first"
    );
    let shutdown = platform.shutdown().await.unwrap();
    assert!(shutdown.is_clean());
    // The connection without a request is not logged.
    assert_eq!(shutdown.extensions[0].stderr(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn extension_that_exits_before_it_is_ready_is_reported() {
    let (platform, mut stdin, _directory) = boot().await;
    writeln!(stdin, "fail").unwrap();
    let error = platform.wait_until_ready(SCRIPT).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "extensionByHand.sh exited with status 2 before it was ready"
    );
    assert!(
        format!("{error:?}").contains("cannot load the secrets"),
        "{error:?}"
    );
    let exit = error.process_exit().unwrap();
    assert_eq!(exit.status.code(), Some(2));
    // It is gone, so another one can be booted under its name.
    assert!(platform.shutdown().await.unwrap().extensions.is_empty());
}
