//! The example in README.md.

use fg_conformance::{Checks, Error, ExtensionUnderTest, Outcome, Selection};
use fg_emulator::PortLease;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn night_watch_passes() -> Result<(), Error> {
    // Tests run in parallel, and each needs its own ports.
    let (port, telemetry_port) = PortLease::acquire_pair()?;
    let extension = ExtensionUnderTest::command(
        "extensionNightWatch.sh",
        "python3",
        ["tests/night_watch.py"],
    )
    .env("FG_EXTENSION_PORT", port.port().to_string())
    .env("FG_TELEMETRY_PORT", telemetry_port.port().to_string());

    let report = Checks::new(extension)
        .select(Selection::parse(["REG", "INV", "END-01"])?)
        .run()
        .await?;
    assert_eq!(report.count(Outcome::Fail), 0, "{report}");
    Ok(())
}
