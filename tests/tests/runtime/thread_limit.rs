//! Tests of an extension that cannot start a thread, because the function has used up all processes of the instance.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use fg_extension_tests::{ScriptedPlatform, ScriptedResponse, Start};

#[test]
fn host_name_is_resolved_once_a_thread_can_be_started() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = readable_by_all(directory.path());
    let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
    let mut extension = Start::new("prlimit")
        .args(["--nproc=1:", "--"])
        .args(as_other_user().iter().map(String::as_str))
        .args([program.as_str()])
        .env(
            "EXTENSION_API_ADDR",
            format!("localhost:{}", platform.address.port()),
        )
        .env("FG_LOG", "info")
        .start();
    let failed = "registration attempt 1 failed, retrying in ";
    let line = loop {
        let line = extension.error_line();
        assert!(!line.contains("panicked"), "{line}");
        if line.contains(failed) {
            break line;
        }
    };
    assert!(
        line.ends_with(
            ": cannot start a thread to resolve `localhost`: Resource temporarily unavailable (os error 11)"
        ),
        "{line}"
    );

    let raised = Command::new("env")
        .args(as_other_user())
        .args(["prlimit", "--nproc=1000:", "--pid"])
        .arg(extension.id().to_string())
        .status();
    assert!(raised.expect("util-linux is installed").success());
    let _ = platform.request();
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(0));
    assert!(!exited.stderr.contains("panicked"), "{}", exited.stderr);
}

/// Returns the command line that starts a program as another user if this one is root, whose processes are not limited.
fn as_other_user() -> Vec<String> {
    if !nix::unistd::geteuid().is_root() {
        return Vec::new();
    }
    // A user that has no other processes.
    let user = 100_000 + std::process::id();
    vec![
        "setpriv".to_owned(),
        format!("--reuid={user}"),
        format!("--regid={user}"),
        "--clear-groups".to_owned(),
    ]
}

/// Copies the extension to a place where every user can run it.
fn readable_by_all(directory: &std::path::Path) -> String {
    let program = directory.join("fixture");
    fs::copy(env!("CARGO_BIN_EXE_fixture"), &program).expect("the program can be copied");
    for path in [directory, &program] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("the file is ours");
    }
    program.display().to_string()
}
