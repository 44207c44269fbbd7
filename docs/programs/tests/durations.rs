//! Boots `durations` in a local FunctionGraph that posts telemetry.

use std::time::Duration;

use fg_emulator::{Error, ExtensionCommand, InvokeRequest, Platform};

#[tokio::test]
async fn duration_of_each_invocation_is_printed() -> Result<(), Error> {
    let platform = Platform::start().await?;
    let command = ExtensionCommand::new("extensionDurations.sh", env!("CARGO_BIN_EXE_durations"));
    platform
        .boot(command.lease_port().lease_telemetry_port())
        .await?;
    platform.wait_for_subscription().await?;

    let request = InvokeRequest::new().duration(Duration::from_millis(20));
    let invoked = platform.invoke_with(request).await?;
    invoked.assert_ok();
    platform.wait_for_telemetry().await;

    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    let stdout = shutdown.extensions[0].stdout();
    let line = format!("{} took ", invoked.trace_id);
    assert!(stdout.starts_with(&line), "{stdout}");
    Ok(())
}
