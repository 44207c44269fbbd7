//! Boots `journal` in a local FunctionGraph, and freezes the instance.

use fg_emulator::{ExtensionCommand, Platform};

type TestResult = Result<(), Box<dyn std::error::Error>>;

#[tokio::test]
async fn every_invocation_is_in_the_file_after_the_shutdown() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("journal");
    let journal = ExtensionCommand::new("extensionJournal.sh", env!("CARGO_BIN_EXE_journal"))
        .env("JOURNAL", &path)
        .lease_port();
    let platform = Platform::start().await?;
    platform.boot(journal).await?;
    let mut expected = String::new();
    for _ in 0..2 {
        // The second invocation thaws the instance.
        let invoked = platform.invoke().await?;
        invoked.assert_ok();
        platform.freeze();
        expected.push_str(&format!("invoked {}\n", invoked.trace_id));
    }
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    assert_eq!(std::fs::read_to_string(&path)?, expected);
    Ok(())
}
