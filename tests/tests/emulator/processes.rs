//! Tests of processes: packages, attached processes, freezing, and cleanup.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use fg_emulator::{ExtensionCommand, Platform, PortLease};
use nix::sys::stat::Mode;

pub(crate) const FOREIGN: &str = env!("CARGO_BIN_EXE_foreign");
pub(crate) const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// A script that starts one process in its group, one in another group, and one with an empty environment, then executes
/// the foreign extension. All of them keep the FIFO open.
pub(crate) const PROCESS_TREE: &str =
    "exec 9>\"$0\"; sleep 1000 & setsid sleep 1000 & env -i sleep 1000 & exec \"$1\"";

/// Creates a FIFO. The receiver gets a message when no process has it open anymore.
pub(crate) fn when_closed(fifo: &Path) -> mpsc::Receiver<()> {
    nix::unistd::mkfifo(fifo, Mode::S_IRWXU).unwrap();
    let (sender, receiver) = mpsc::channel();
    let fifo = fifo.to_owned();
    std::thread::spawn(move || {
        let mut file = fs::File::open(fifo).unwrap();
        file.read_to_end(&mut Vec::new()).unwrap();
        sender.send(()).unwrap();
    });
    receiver
}

pub(crate) fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('T')
}

#[test]
fn processes_are_killed_with_the_program_that_owns_the_platform() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let closed = when_closed(&fifo);
    let lease = PortLease::acquire().unwrap();
    let temporary = directory.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut host = Command::new(env!("CARGO_BIN_EXE_host"))
        .args(["extensionForeign.sh", "sh", "-c", PROCESS_TREE])
        .args([fifo.as_os_str(), FOREIGN.as_ref()])
        .env("FG_EXTENSION_PORT", lease.port().to_string())
        .env("TMPDIR", &temporary)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "up\n");
    let is_empty = || fs::read_dir(&temporary).unwrap().next().is_none();
    assert!(!is_empty());
    assert!(closed.try_recv().is_err());
    host.kill().unwrap();
    host.wait().unwrap();
    closed.recv_timeout(TIMEOUT).unwrap();
    // The guard removes the directory before it kills the processes.
    assert!(is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_kills_all_descendants() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let closed = when_closed(&fifo);
    let platform = Platform::start().await.unwrap();
    let boot = ExtensionCommand::new("extensionForeign.sh", "sh")
        .arg("-c")
        .arg(PROCESS_TREE)
        .arg(&fifo)
        .arg(FOREIGN);
    let registered = platform.boot(boot.lease_port()).await.unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/comm", registered.pid.unwrap())).unwrap();
    assert_eq!(stat, "foreign\n");
    platform.shutdown().await.unwrap();
    closed.recv_timeout(TIMEOUT).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn start_script_of_a_package_is_executed_directly() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("extension/extensionForeign.sh");
    fs::create_dir(directory.path().join("extension")).unwrap();
    fs::write(&script, format!("#!/bin/sh\npwd\nexec '{FOREIGN}'\n")).unwrap();
    let platform = Platform::start().await.unwrap();
    let boot = || ExtensionCommand::package("extensionForeign.sh", directory.path()).lease_port();
    let error = platform.boot(boot()).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        error
            .to_string()
            .starts_with("cannot start extensionForeign.sh ("),
        "{error}"
    );
    assert_eq!(source, "Permission denied (os error 13)");

    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    platform.boot(boot()).await.unwrap();
    let shutdown = platform.shutdown().await.unwrap();
    assert!(shutdown.extensions[0].stdout().starts_with("/\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn attached_process_registers_and_is_not_stopped() {
    let lease = tokio::task::spawn_blocking(PortLease::acquire)
        .await
        .unwrap()
        .unwrap();
    let platform = Platform::start().await.unwrap();
    let start = async {
        let environment = platform.environment();
        let mut command = tokio::process::Command::new(FIXTURE);
        command
            .envs(environment)
            .env("FG_EXTENSION_PORT", lease.port().to_string());
        command
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let (registered, mut child) = tokio::join!(platform.attach("extensionFixture.sh"), start);
    let registered = registered.unwrap();
    assert_eq!(
        (registered.address.port(), registered.pid),
        (lease.port(), None)
    );
    platform.invoke().await.unwrap().assert_ok();
    assert!(platform.shutdown().await.unwrap().extensions.is_empty());
    assert!(
        child.try_wait().unwrap().is_none(),
        "the attached process was stopped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_instance_is_thawed_by_an_invocation_and_by_shutdown() {
    let platform = Platform::start().await.unwrap();
    let pid = platform
        .boot_bin("extensionFixture.sh", FIXTURE)
        .await
        .unwrap()
        .pid
        .unwrap();
    platform.freeze();
    assert!(is_stopped(pid));
    platform.invoke().await.unwrap().assert_ok();
    assert!(!is_stopped(pid));
    platform.freeze();
    platform.thaw();
    assert!(!is_stopped(pid));
    platform.freeze();
    let shutdown = platform.shutdown().await.unwrap();
    assert!(shutdown.is_clean(), "{shutdown:?}");
}
