//! Boots the extension in a local FunctionGraph.

use fg_emulator::{Error, ExtensionCommand, Platform};

const SCRIPT: &str = "extensionAuditLog.sh";
const PROGRAM: &str = env!("CARGO_BIN_EXE_audit-log");

#[tokio::test]
async fn invocations_are_written_at_shutdown() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("audit.log");
    let platform = Platform::start().await?;
    let boot = ExtensionCommand::new(SCRIPT, PROGRAM).env("AUDIT_LOG", &file);
    platform.boot(boot.lease_port()).await?;
    platform.wait_until_ready(SCRIPT).await?;
    assert!(file.exists(), "`#[init]` has returned, so the file is open");
    let (first, second) = (platform.invoke().await?, platform.invoke().await?);
    first.assert_ok();
    second.assert_ok();

    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    assert_eq!(
        std::fs::read_to_string(file)?,
        format!(
            "watching helloWorld\ninvocation {}\ninvocation {}\nshutdown\n",
            first.trace_id, second.trace_id
        )
    );
    Ok(())
}

#[tokio::test]
async fn file_that_cannot_be_opened_is_reported() -> Result<(), Error> {
    let platform = Platform::start().await?;
    let boot = ExtensionCommand::new(SCRIPT, PROGRAM).env("AUDIT_LOG", "/no/such/folder/audit.log");
    platform.boot(boot.lease_port()).await?;
    platform.wait_for_exit().await;

    let shutdown = platform.shutdown().await?;
    let audit_log = &shutdown.extensions[0];
    assert_eq!(audit_log.status.code(), Some(1));
    assert_eq!(
        audit_log.stderr(),
        "ERROR extensionAuditLog.sh: the extension failed to initialize: cannot open AUDIT_LOG, \
         /no/such/folder/audit.log: No such file or directory (os error 2)\n"
    );
    Ok(())
}
