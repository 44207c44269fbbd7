//! Boots the extension from the ZIP, as the platform would.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use fg_conformance::artifact::UnpackedPackage;
use fg_emulator::{Event, HttpResponse, OutputLine, Platform};

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
    print: impl Fn(&OutputLine) + Send + Sync + 'static,
) -> anyhow::Result<Verified> {
    let package = UnpackedPackage::unpack(zip)?;
    let script = package.script_name().to_owned();
    // Other extensions may be running on this machine.
    let command = package.command().lease_port().lease_telemetry_port();
    let command = environment
        .iter()
        .fold(command, |command, (name, value)| command.env(name, value));

    let observer = move |event: &Event| {
        if let Event::Output(line) = event {
            print(line);
        }
    };
    let platform = Platform::builder().observer(observer).start().await?;
    let booted = platform.boot(command).await;
    // Without the source of this error: what the program printed, which was shown already.
    let registered = booted.map_err(|error| anyhow!("{error}"))?.startup_duration;
    let invoked = platform.invoke().await?;
    let shutdown = platform.shutdown().await?;
    let mut invoked_in = Duration::ZERO;
    for response in invoked.responses {
        invoked_in = invoked_in.max(response.round_trip);
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
    let exit = shutdown.extensions.first();
    let exit = exit.ok_or_else(|| anyhow!("{script} left no trace"))?;
    if !exit.is_clean() {
        bail!("{script} did not end in order: {}", exit.status);
    }
    Ok(Verified {
        registered,
        invoked: invoked_in,
        shut_down: exit.stop_duration.unwrap_or_default(),
    })
}
