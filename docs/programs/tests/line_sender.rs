//! Boots `line_sender` in a local FunctionGraph, and freezes the instance.

use fg_emulator::{ExtensionCommand, Faults, Platform};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type TestResult = Result<(), Box<dyn std::error::Error>>;

#[tokio::test]
async fn line_is_sent_before_the_instance_is_frozen() -> TestResult {
    let (address, mut received) = collector(0).await?;
    let platform = Platform::start().await?;
    platform.boot(line_sender(&address)).await?;
    for _ in 0..2 {
        // The second invocation thaws the instance.
        let invoked = platform.invoke().await?;
        invoked.assert_ok();
        platform.freeze();
        let line = format!("invoked {}\n", invoked.trace_id);
        assert_eq!(received.try_recv()?, line);
    }
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn line_that_could_not_be_sent_survives_the_freeze() -> TestResult {
    let (address, mut received) = collector(1).await?;
    let platform = Platform::start().await?;
    platform.boot(line_sender(&address)).await?;
    let first = platform.invoke().await?;
    first.assert_ok();
    platform.freeze();
    assert!(received.try_recv().is_err());

    let second = platform.invoke().await?;
    second.assert_ok();
    let lines = format!("invoked {}\ninvoked {}\n", first.trace_id, second.trace_id);
    assert_eq!(received.try_recv()?, lines);
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn extension_tolerates_platform_faults() -> TestResult {
    let (address, _received) = collector(0).await?;
    let faults = Faults::parse("register-503*2,event-duplicate=0.5,freeze=0.3", 7)?;
    let platform = Platform::builder().faults(faults).start().await?;
    platform.boot(line_sender(&address)).await?;
    for _ in 0..5 {
        platform.invoke().await?.assert_ok();
    }
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

fn line_sender(collector: &str) -> ExtensionCommand {
    ExtensionCommand::new("extensionLineSender.sh", env!("CARGO_BIN_EXE_line_sender"))
        .env("COLLECTOR", collector)
        .lease_port()
}

/// Starts a collector that drops its first connections, and then acknowledges what it receives.
async fn collector(dropped: usize) -> std::io::Result<(String, UnboundedReceiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(serve(listener, dropped, sender));
    Ok((address, receiver))
}

async fn serve(
    listener: TcpListener,
    dropped: usize,
    sender: UnboundedSender<String>,
) -> std::io::Result<()> {
    for _ in 0..dropped {
        drop(listener.accept().await?);
    }
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        // The receiver is gone if the test has finished.
        let _ = sender.send(text);
        stream.write_all(b"ok").await?;
    }
}
