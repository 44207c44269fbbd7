//! Every program of this crate registers, handles an invocation and shuts down.

use fg_emulator::{Error, Platform};

#[tokio::test]
async fn every_program_registers_handles_an_invocation_and_shuts_down() -> Result<(), Error> {
    for (script, program) in [
        ("extensionFunction.sh", env!("CARGO_BIN_EXE_function")),
        ("extensionMain.sh", env!("CARGO_BIN_EXE_main_function")),
        ("extensionMethods.sh", env!("CARGO_BIN_EXE_methods")),
        ("extensionArchive.sh", env!("CARGO_BIN_EXE_telemetry_only")),
    ] {
        let platform = Platform::start().await?;
        platform.boot_bin(script, program).await?;
        platform.invoke().await?.assert_ok();
        let shutdown = platform.shutdown().await?;
        assert!(shutdown.is_clean(), "{script}: {shutdown:?}");
    }
    Ok(())
}
