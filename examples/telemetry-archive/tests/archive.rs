//! Boots the extension in a local FunctionGraph.

use fg_emulator::{Error, ExtensionCommand, Platform};
use serde_json::{Value, json};

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
    let unusual = json!([
        null, 1.0, 0.1, [], {}, {"type": "function", "record": {"nested": [{"a": "ü\n"}]}},
        {"name": "platform.fault", "startTime": 5, "unknown": {"field": null}},
    ]);
    assert_eq!(platform.send_telemetry(unusual.to_string()).await?, 200);
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
    let mut archived = lines.as_slice();
    while let [_, rest @ ..] = archived
        && !archived.starts_with(unusual.as_array().ok_or("expected an array")?)
    {
        archived = rest;
    }
    assert!(!archived.is_empty(), "{unusual} in\n{text}");
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
