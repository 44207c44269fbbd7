//! Limits on the number of threads: `pids.max` of a control group, and RLIMIT_NPROC of a user.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use fg_extension_tests::{Extension, Start, Stream};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::cgroup::Cgroup;
use super::ledger::Ledger;
use super::{LEDGER, boot, invoke, report_skipped};

/// A limit on the number of threads of an extension.
enum ThreadLimit {
    /// `pids.max`.
    Cgroup(Cgroup),
    /// RLIMIT_NPROC of a user that has no other processes, and a copy of the program that this user can run.
    User(u32, TempDir),
}

const NO_THREAD: &str = "WARN extensionLedger.sh: cannot start the second thread: Resource temporarily unavailable \
                         (os error 11); a handler that blocks its thread delays the shutdown";

impl ThreadLimit {
    /// Runs the test with each limit that this machine allows. The others are reported.
    fn each(test: impl Fn(&Self)) {
        let name = thread::current().name().unwrap_or_default().to_owned();
        let cgroup = Cgroup::v1("pids", "pids.max").or_else(|why| match Cgroup::v2("pids.max") {
            Ok(group) => Ok(group),
            Err(also) => Err(format!("{why}; {also}")),
        });
        match cgroup {
            Ok(group) => test(&Self::Cgroup(group)),
            Err(why) => report_skipped(&format!("{name} with pids.max"), &why),
        }
        if nix::unistd::geteuid().is_root() {
            // Not that of other tests, which may run at the same time, in this process or in another.
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let user = 200_000 + 16 * std::process::id() + number;
            test(&Self::User(user, readable_by_all()));
        } else {
            report_skipped(
                &format!("{name} with RLIMIT_NPROC"),
                "only root can switch to a user without other processes",
            );
        }
    }

    /// Starts an extension that may have this many threads.
    fn start(&self, threads: usize, ledger: &Ledger) -> Start {
        match self {
            Self::Cgroup(group) => {
                group.write("pids.max", &threads.to_string());
                Start::by_script(LEDGER, &format!("{}; exec \"$0\"", group.enter()))
            }
            Self::User(user, directory) => {
                fs::set_permissions(
                    Path::new(&ledger.file()).parent().expect("a directory"),
                    Permissions::from_mode(0o777),
                )
                .expect("the directory is ours");
                let program = directory.path().join("ledger").display().to_string();
                Start::new("prlimit")
                    .args([format!("--nproc={threads}:").as_str(), "--"])
                    .args(as_user(*user).iter().map(String::as_str))
                    .args([program.as_str()])
            }
        }
    }

    fn set(&self, extension: &Extension, threads: usize) {
        match self {
            Self::Cgroup(group) => group.write("pids.max", &threads.to_string()),
            Self::User(user, _) => {
                let status = Command::new("env")
                    .args(as_user(*user))
                    .args(["prlimit", &format!("--nproc={threads}:"), "--pid"])
                    .arg(extension.id().to_string())
                    .status();
                assert!(status.expect("util-linux is installed").success());
            }
        }
    }
}

/// Returns the command line that starts a program as this user.
fn as_user(user: u32) -> [String; 4] {
    [
        "setpriv".to_owned(),
        format!("--reuid={user}"),
        format!("--regid={user}"),
        "--clear-groups".to_owned(),
    ]
}

fn readable_by_all() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("ledger");
    fs::copy(LEDGER, &program).expect("the program can be copied");
    for path in [directory.path(), &program] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("the file is ours");
    }
    directory
}

/// The log thread cannot be started either, so the extension writes the line itself.
#[test]
fn extension_without_a_second_thread_serves_and_shuts_down() {
    ThreadLimit::each(|limit| {
        let ledger = Ledger::new();
        let extension = boot(limit.start(1, &ledger), &ledger);
        assert_eq!(invoke(&extension, "1"), 200);
        assert_eq!(ledger.post(extension.port(), 3), 200);
        // More than what is read by the thread of the listener.
        let large = ledger.batch(10, 100_000);
        let mut client = fg_extension_tests::Client::connect(extension.port());
        assert_eq!(ledger.post_over(&mut client, &large), 200);
        // The author's code cannot start a thread or a process.
        assert_eq!(invoke(&extension, "thread"), 500);
        assert_eq!(invoke(&extension, "child"), 500);
        assert_eq!(invoke(&extension, "1"), 200);
        let exited = extension.terminate();
        assert_eq!(ledger.assert_balanced(&exited).acknowledged, 13);
        let lines: Vec<_> = exited.stderr.lines().collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[0], NO_THREAD);
        assert!(lines[1..].iter().all(|line| line.contains(" failed: ")));
    });
}

#[test]
fn thread_limit_that_is_reached_later_and_lifted_again() {
    ThreadLimit::each(|limit| {
        let ledger = Ledger::new();
        let extension = boot(limit.start(20, &ledger), &ledger);
        let port = extension.port();
        assert_eq!(invoke(&extension, "1"), 200);
        assert_eq!(ledger.post(port, 3), 200);
        limit.set(&extension, 1);
        assert_eq!(invoke(&extension, "thread"), 500);
        assert_eq!(invoke(&extension, "child"), 500);
        assert_eq!(invoke(&extension, "log"), 200);
        assert_eq!(ledger.post(port, 3), 200);
        limit.set(&extension, 20);
        assert_eq!(invoke(&extension, "thread"), 200);
        assert_eq!(invoke(&extension, "child"), 200);
        assert_eq!(ledger.post(port, 3), 200);
        let exited = extension.terminate();
        assert_eq!(ledger.assert_balanced(&exited).acknowledged, 9);
        assert!(!exited.stderr.contains(NO_THREAD), "{exited:?}");
    });
}

/// Neither a thread that could write log lines nor a reader of them.
#[test]
fn log_lines_without_a_thread_and_a_reader_do_not_block() {
    ThreadLimit::each(|limit| {
        let ledger = Ledger::new();
        let start = limit.start(1, &ledger).unread(Stream::Stderr);
        let extension = boot(start, &ledger);
        assert_eq!(invoke(&extension, "flood"), 200);
        assert_eq!(ledger.post(extension.port(), 3), 200);
        extension.signal(Signal::SIGTERM);
        assert_eq!(extension.wait().code, Some(0));
    });
}
