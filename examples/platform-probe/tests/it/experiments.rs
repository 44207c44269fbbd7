//! The experiments, each of which the user has to ask for.

use fg_emulator::{Error, ExtensionCommand, Faults, Platform};

use super::{PROGRAM, SCRIPT};

/// Boots the probe with these experiments, and returns it with the directory of its report.
async fn boot(
    experiments: &str,
) -> Result<(Platform, tempfile::TempDir), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let platform = Platform::start().await?;
    let command = ExtensionCommand::new(SCRIPT, PROGRAM)
        .env("PROBE_EXPERIMENTS", experiments)
        .env("PROBE_REPORT", directory.path().join("report.md"));
    platform
        .boot(command.lease_port().lease_telemetry_port())
        .await?;
    Ok((platform, directory))
}

#[tokio::test]
async fn responses_and_batches_fail_if_asked_for() -> Result<(), Box<dyn std::error::Error>> {
    let (platform, directory) = boot("error-response, telemetry-error,bad-registration").await?;
    platform.wait_for_subscription().await?;
    platform.invoke().await?.assert_ok();
    let failed = platform.invoke().await?;
    assert!(failed.responses.iter().all(|it| !it.is_ok()), "{failed:?}");
    platform.wait_for_telemetry().await;
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    let report = std::fs::read_to_string(directory.path().join("report.md"))?;
    for expected in [
        "`error-response` (responds to every second event with status 500)",
        "| batches that are posted again | ? | O | 1, ",
        "| O | 200 (1×)<br>port out of range: 400 (1×)<br>unknown name: 400 (1×) |",
    ] {
        assert!(report.contains(expected), "{expected} in\n{report}");
    }
    Ok(())
}

#[tokio::test]
async fn telemetry_shares_the_port_if_asked_for() -> Result<(), Box<dyn std::error::Error>> {
    let (platform, directory) = boot("telemetry-same-port, slow-response").await?;
    platform.wait_for_subscription().await?;
    platform.invoke().await?.assert_ok();
    platform.wait_for_telemetry().await;
    assert!(platform.shutdown().await?.is_clean());
    let report = std::fs::read_to_string(directory.path().join("report.md"))?;
    assert!(
        report.contains("asked with the extension's own port"),
        "{report}"
    );
    assert!(report.contains("platform.report"), "{report}");
    let slow = "start in telemetry | ? | O | before the response, by 1–3 s (1×) |";
    assert!(report.contains(slow), "{report}");
    Ok(())
}

#[tokio::test]
async fn report_survives_the_end_of_the_grace_period() -> Result<(), Box<dyn std::error::Error>> {
    let (platform, directory) = boot("linger").await?;
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.extensions[0].killed, "{shutdown:?}");
    let report = std::fs::read_to_string(directory.path().join("report.md"))?;
    assert!(
        report.contains("| O | at least 4.") || report.contains("| O | at least 5."),
        "{report}"
    );
    assert!(
        shutdown.extensions[0].stdout().contains("still running 4."),
        "{shutdown:?}"
    );
    Ok(())
}

#[tokio::test]
async fn exits_if_asked_for() -> Result<(), Box<dyn std::error::Error>> {
    let (platform, directory) = boot("exit").await?;
    platform.invoke().await?.assert_ok();
    platform.wait_for_exit().await;
    let shutdown = platform.shutdown().await?;
    assert_eq!(shutdown.extensions[0].status.code(), Some(1));
    assert!(directory.path().join("report.md").exists());
    Ok(())
}

#[tokio::test]
async fn rejection_is_reported() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("report.md");
    let faults = Faults::parse("register-rejected", 1)?;
    let platform = Platform::builder().faults(faults).start().await?;
    let command = ExtensionCommand::new(SCRIPT, PROGRAM).env("PROBE_REPORT", &file);
    let error = platform
        .boot(command.lease_port().lease_telemetry_port())
        .await;
    let error = error.err().ok_or("it was not rejected")?;
    let exit = error.process_exit().ok_or("it did not exit")?;
    assert_eq!(exit.status.code(), Some(3));
    assert!(
        exit.stderr().contains("did not accept the registration"),
        "{}",
        exit.stderr()
    );
    let report = std::fs::read_to_string(file)?;
    for seen in [
        "| status of the response | D | O | 400 (1×) |",
        "| working directory | ? | O | ",
    ] {
        assert!(report.contains(seen), "{seen} in\n{report}");
    }
    Ok(())
}

#[tokio::test]
async fn unknown_experiment_is_an_error() -> Result<(), Error> {
    let platform = Platform::start().await?;
    let command = ExtensionCommand::new(SCRIPT, PROGRAM).env("PROBE_EXPERIMENTS", "explode");
    assert!(
        platform
            .boot(command.lease_port().lease_telemetry_port())
            .await
            .is_err()
    );
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.extensions.is_empty(), "{shutdown:?}");
    Ok(())
}
