//! Boots the extension in a local FunctionGraph.

use fg_emulator::{Error, Platform};

#[tokio::test]
async fn invocations_are_counted() -> Result<(), Error> {
    let platform = Platform::start().await?;
    platform
        .boot_bin("extensionCounter.sh", env!("CARGO_BIN_EXE_own-main"))
        .await?;
    for _ in 0..3 {
        platform.invoke().await?.assert_ok();
    }

    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    assert_eq!(shutdown.extensions[0].stdout(), "3 invocations\n");
    Ok(())
}
