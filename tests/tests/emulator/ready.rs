//! Tests of waiting until an extension is ready.

use std::fs::File;
use std::io::Write;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fg_emulator::{Event, ExtensionCommand, Platform, PortLease};
use nix::sys::stat::Mode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
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
        assert!(poll_once(&mut ready).is_pending());
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

/// The extension is this test, so that it sees what the platform does before it accepts.
#[tokio::test]
async fn extension_is_not_ready_before_it_closes_the_connection() {
    let lease = tokio::task::spawn_blocking(PortLease::acquire).await;
    let lease = lease.unwrap().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", lease.port()))
        .await
        .unwrap();
    let platform = Platform::start().await.unwrap();
    let address = platform.address();
    let register = async {
        let head = format!(
            "POST /extension/register HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\
             FunctionGraph-Extension-Name: {SCRIPT}\r\nFunctionGraph-Extension-Address: {}\r\n\r\n",
            listener.local_addr().unwrap()
        );
        let mut api = TcpStream::connect(address).await.unwrap();
        api.write_all(head.as_bytes()).await.unwrap();
        let mut response = String::new();
        api.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    };
    let (attached, ()) = tokio::join!(platform.attach(SCRIPT), register);
    attached.unwrap();

    let mut ready = pin!(platform.wait_until_ready(SCRIPT));
    let accepted = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // The platform has nothing left to do but to wait.
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        assert!(received.is_empty());
        stream
    };
    let stream = tokio::select! {
        biased;
        _ = &mut ready => panic!("the extension has not closed the connection"),
        stream = accepted => stream,
    };
    assert!(poll_once(&mut ready).is_pending());
    drop(stream);
    ready.await.unwrap();
}

/// Polls a future without waiting.
fn poll_once<F: Future>(future: &mut Pin<&mut F>) -> Poll<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    future.as_mut().poll(&mut context)
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
