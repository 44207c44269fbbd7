//! Boots the extension from the ZIP, as the platform would.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use fg_emulator::{Boot, Event, Line, Platform};
use tempfile::TempDir;

use crate::unpack::unpack;

/// How long the extension took to register, to respond, and to shut down.
pub(crate) struct Verified {
    pub(crate) registered: Duration,
    pub(crate) invoked: Duration,
    pub(crate) shut_down: Duration,
}

/// Unpacks the ZIP as the platform would, boots the extension from there, invokes it once, and shuts it down. `print`
/// gets what it prints.
pub(crate) async fn verify(
    zip: &Path,
    environment: &[(String, String)],
    print: impl Fn(&Line) + Send + Sync + 'static,
) -> anyhow::Result<Verified> {
    let folder = TempDir::with_prefix("cargo-fg-")
        .context("cannot make a temporary folder to unpack into")?;
    let script = unpack(zip, folder.path())?;
    let boot = Boot::package(&script, folder.path());
    // Other extensions may be running on this machine.
    let boot = boot.lease_port().lease_telemetry_port();
    let boot = environment
        .iter()
        .fold(boot, |boot, (name, value)| boot.env(name, value));

    let observer = move |event: &Event| {
        if let Event::Output(line) = event {
            print(line);
        }
    };
    let platform = Platform::start_with(observer).await?;
    let booted = platform.boot(boot).await;
    // Without the source of this error: what the program printed, which was shown already.
    let registered = booted.map_err(|error| anyhow!("{error}"))?.took;
    let invoked = platform.invoke().await?;
    let shutdown = platform.shutdown().await?;
    let mut invoked_in = Duration::ZERO;
    for reply in invoked.replies {
        invoked_in = invoked_in.max(reply.round_trip);
        match reply.result {
            Ok((200, _)) => {}
            Ok((status, body)) => {
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
    if !stopped.clean() {
        bail!("{script} did not end in order: {}", stopped.status);
    }
    Ok(Verified {
        registered,
        invoked: invoked_in,
        shut_down: stopped.took,
    })
}
