//! Boots the extension in a local FunctionGraph.

use fg_emulator::Platform;

#[tokio::test]
async fn each_invocation_is_printed() -> Result<(), fg_emulator::Error> {
    let platform = Platform::start().await?;
    platform
        .boot_bin("extensionHello.sh", env!("CARGO_BIN_EXE_hello"))
        .await?;
    let (first, second) = (platform.invoke().await?, platform.invoke().await?);
    first.assert_ok();
    second.assert_ok();

    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    let urn = "sn:cn:yrk:1111:function:0@test@hello:latest";
    assert_eq!(
        shutdown.extensions[0].stdout(),
        format!(
            "{} invoked {urn}\n{} invoked {urn}\n",
            first.trace_id, second.trace_id
        )
    );
    assert_eq!(shutdown.extensions[0].stderr(), "");
    Ok(())
}
