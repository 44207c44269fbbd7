//! Verifies a ZIP: boots the extension from it, as the platform would, and invokes it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use fg_conformance::artifact::UnpackedPackage;
use fg_emulator::{Event, HttpResponse, OutputLine, Platform, describe_exit};

/// The time that the extension took to register, to respond, and to shut down.
pub(crate) struct Verified {
    pub(crate) registered: Duration,
    pub(crate) invoked: Duration,
    pub(crate) shut_down: Duration,
}

/// Unpacks the ZIP as the platform would, boots the extension, invokes it once, and shuts it down. `settings` are those in the
/// ZIP. Passes each line that the extension prints to `print`.
///
/// # Errors
///
/// Returns an error if the extension does not register, does not respond with status 200, or does not shut down
/// cleanly.
pub(crate) async fn verify(
    zip: &Path,
    environment: &[(String, String)],
    settings: &[(String, String)],
    print: impl Fn(&OutputLine) + Send + Sync + 'static,
) -> anyhow::Result<Verified> {
    let package = UnpackedPackage::unpack(zip, None).await?;
    let script = package.script_name().to_owned();
    let has = |name: &str| settings.iter().any(|(setting, _)| setting == name);
    // Lease ports, since other extensions may be running on this machine. Those that are packaged are used, to find out whether
    // the extension accepts them.
    let mut command = package.command();
    if !has("FG_EXTENSION_PORT") {
        command = command.lease_port();
    }
    if !has("FG_TELEMETRY_PORT") {
        command = command.lease_telemetry_port();
    }
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
    // Leave out the source of this error: the output of the program, which has already been printed.
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
                    "{script} responded to the invocation with status {status}: {}",
                    body.trim_end()
                )
            }
            Err(error) => {
                return Err(error).context(format!("{script} did not respond to the invocation"));
            }
        }
    }
    let exit = shutdown.extensions.first();
    let exit = exit.ok_or_else(|| anyhow!("the emulator did not report the exit of {script}"))?;
    if !exit.is_clean() {
        bail!(
            "{script} did not shut down cleanly: it {}",
            describe_exit(exit.status)
        );
    }
    Ok(Verified {
        registered,
        invoked: invoked_in,
        shut_down: exit.stop_duration.unwrap_or_default(),
    })
}
