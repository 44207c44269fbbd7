//! A function in Python with the real OpenTelemetry SDK.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use fg_emulator::Platform;
use tempfile::TempDir;

use crate::{Result, variable};

/// How the function's spans are related to its invocation; see `function.py`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    Recipe,
    Joined,
    Linked,
}

/// Boots the function. Its SDK has the standard settings of the guide, and these variables.
pub(crate) async fn boot_function(
    platform: &Platform,
    mode: Mode,
    receiver: SocketAddr,
    variables: &[(&str, &str)],
) -> Result<TempDir> {
    let directory = TempDir::with_prefix("python-function-")?;
    let bootstrap = directory.path().join("bootstrap");
    let package = env!("CARGO_MANIFEST_DIR");
    // A linked trace is sent long after the span of its invocation, the others soon.
    let delay = match mode {
        Mode::Linked => "3000",
        Mode::Recipe | Mode::Joined => "50",
    };
    let mode = format!("{mode:?}").to_lowercase();
    let endpoint = format!("http://{receiver}");
    let mut all = vec![
        ("PYTHONPATH", variable("OTEL_PYTHON")?),
        ("MODE", mode),
        ("EXAMPLE", format!("{package}/functions/index.py")),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_BSP_SCHEDULE_DELAY", delay.to_owned()),
        ("OTEL_BLRP_SCHEDULE_DELAY", "50".to_owned()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200".to_owned()),
    ];
    let variables = variables.iter();
    all.extend(variables.map(|(name, value)| (*name, (*value).to_owned())));
    let mut script = "#!/bin/sh\n".to_owned();
    for (name, value) in all {
        writeln!(script, "export {name}='{value}'")?;
    }
    writeln!(
        script,
        "exec python3 '{package}/tests/collectors/function.py'"
    )?;
    std::fs::write(&bootstrap, script)?;
    std::fs::set_permissions(&bootstrap, std::fs::Permissions::from_mode(0o755))?;
    platform.boot_function(&bootstrap).await?;
    Ok(directory)
}
