use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use fg_conformance::artifact::unpack;
use fg_emulator::{Event, ExtensionCommand, HttpResponse, OutputLine, Platform};
use tempfile::TempDir;


/// How long it took.
pub(crate) struct Verified {
    pub(crate) registered: Duration,
    pub(crate) invoked: Duration,
    pub(crate) ended: Duration,
}

/// Unpacks the ZIP as the platform would, boots the extension from there, invokes it once, and ends it. What it
/// prints is shown as it comes.
pub(crate) async fn verify(
    zip: &Path,
    environment: &[(String, String)],
    show: impl Fn(&OutputLine) + Send + Sync + 'static,
) -> anyhow::Result<Verified> {
    let folder = TempDir::with_prefix("cargo-fg-")
        .context("cannot make a temporary folder to unpack into")?;
    let script = unpack(zip, folder.path())?;
    let boot = ExtensionCommand::package(&script, folder.path());
    // Beside whatever runs on this machine.
    let boot = boot.lease_port().lease_telemetry_port();
    let boot = environment
        .iter()
        .fold(boot, |boot, (name, value)| boot.env(name, value));

    let observer = move |event: &Event| {
        if let Event::Output(line) = event {
            show(line);
        }
    };
    let platform = Platform::builder().observer(observer).start().await?;
    let booted = platform.boot(boot).await;
    // Without what it printed, which is the source of this error.
    let registered = booted.map_err(|error| anyhow!("{error}"))?.startup_duration;
    let invoked = platform.invoke().await?;
    let shutdown = platform.shutdown().await?;
    let mut took = Duration::ZERO;
    for response in invoked.responses {
        took = took.max(response.round_trip);
        match response.result {
            Ok(HttpResponse { status: 200, .. }) => {}
            Ok(HttpResponse { status, body, .. }) => {
                let body = String::from_utf8_lossy(&body);
                bail!(
                    "{script} answered the invocation with {status}: {}",
                    body.trim_end()
                )
            }
            Err(error) => {
                return Err(error).context(format!("{script} did not answer the invocation"));
            }
        }
    }
    let stopped = shutdown.extensions.first();
    let stopped = stopped.ok_or_else(|| anyhow!("{script} left no trace"))?;
    if !stopped.is_clean() {
        bail!("{script} did not end in order: {}", stopped.status);
    }
    Ok(Verified {
        registered,
        invoked: took,
        ended: stopped.stop_duration.unwrap_or_default(),
    })
}
