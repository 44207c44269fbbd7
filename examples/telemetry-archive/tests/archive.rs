//! Boots the extension in a local FunctionGraph.

use fg_emulator::{Error, ExtensionCommand, Platform};
use serde_json::Value;

const SCRIPT: &str = "extensionTelemetryArchive.sh";
const PROGRAM: &str = env!("CARGO_BIN_EXE_telemetry-archive");

#[tokio::test]
async fn every_event_is_archived() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("telemetry.jsonl");
    let platform = Platform::start().await?;
    let boot = ExtensionCommand::new(SCRIPT, PROGRAM).env("ARCHIVE_FILE", &file);
    platform
        .boot(boot.lease_port().lease_telemetry_port())
        .await?;
    platform.wait_for_subscription().await?;
    let invoked = platform.invoke().await?;
    invoked.assert_ok();
    platform.wait_for_telemetry().await;

    // Unusual events are archived unchanged.
    let unusual = [
        "null",
        "1.0",
        "123456789012345678901234567890",
        "[]",
        r#"{"type":  "function", "record": {"nested": [{"a": "ü\n\u0061"}]}}"#,
        r#"{"unknown": {"field": null}, "startTime": 5, "name": "platform.fault"}"#,
    ];
    let body = format!("[{},\n{{\n  \"a\": 1\r\n}}]", unusual.join(", "));
    assert_eq!(platform.send_telemetry(body).await?, 200);
    assert_eq!(platform.send_telemetry("[{]").await?, 400);

    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    let text = std::fs::read_to_string(file)?;
    let lines = text.lines().map(serde_json::from_str);
    let lines = lines.collect::<Result<Vec<Value>, _>>()?;
    let assert_archived_once = |name: &str| {
        let matches =
            |line: &&Value| line["name"] == name && line["traceId"] == invoked.trace_id.as_str();
        assert_eq!(lines.iter().filter(matches).count(), 1, "{name} in\n{text}");
    };
    for name in [
        "platform.initStart",
        "platform.start",
        "platform.RuntimeDone",
        "platform.report",
    ] {
        assert_archived_once(name);
    }
    let start = format!("Start invoke request '{}'", invoked.trace_id);
    let is_start = |line: &Value| {
        line["record"]
            .as_str()
            .is_some_and(|it| it.contains(&start))
    };
    assert!(lines.iter().any(is_start), "{text}");
    // Line breaks between tokens are removed.
    let expected = format!("\n{}\n{{  \"a\": 1}}\n", unusual.join("\n"));
    assert!(text.contains(&expected), "{expected} in\n{text}");
    Ok(())
}

#[tokio::test]
async fn archive_may_be_a_pipe() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let pipe = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status()?;
    assert!(made.success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read_to_string(pipe)
    });
    let platform = Platform::start().await?;
    let boot = ExtensionCommand::new(SCRIPT, PROGRAM).env("ARCHIVE_FILE", &pipe);
    platform
        .boot(boot.lease_port().lease_telemetry_port())
        .await?;
    platform.wait_for_subscription().await?;
    assert_eq!(platform.send_telemetry("[1, 2]").await?, 200);
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    let text = reader.join().map_err(|_| "the reader panicked")??;
    assert!(text.contains("1\n2\n"), "{text}");
    Ok(())
}

#[tokio::test]
async fn file_that_cannot_be_opened_is_reported() -> Result<(), Error> {
    let platform = Platform::start().await?;
    let boot = ExtensionCommand::new(SCRIPT, PROGRAM)
        .env("ARCHIVE_FILE", "/no/such/folder/telemetry.jsonl");
    platform
        .boot(boot.lease_port().lease_telemetry_port())
        .await?;
    platform.wait_for_exit().await;

    let shutdown = platform.shutdown().await?;
    assert_eq!(
        shutdown.extensions[0].stderr(),
        "ERROR extensionTelemetryArchive.sh: the extension failed to initialize: cannot open ARCHIVE_FILE, \
         /no/such/folder/telemetry.jsonl: No such file or directory (os error 2)\n"
    );
    Ok(())
}
