//! [`Freezer`]: the ways to suspend an extension.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use fg_extension_tests::Extension;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::cgroup::Cgroup;
use super::report_skipped;

/// A way to suspend a process.
pub(super) enum Freezer {
    /// `freezer.state` of cgroup v1. The process notices nothing: its system calls are not interrupted.
    V1(Cgroup),
    /// `cgroup.freeze` of cgroup v2.
    V2(Cgroup),
    /// SIGSTOP and SIGCONT to the process group, which interrupts system calls.
    Signal,
}

impl Freezer {
    /// Runs the test with each freezer that this machine allows, in parallel. The others are reported.
    pub(super) fn each(test: impl Fn(Self) + Sync) {
        let mut freezers = vec![("SIGSTOP", Self::Signal)];
        for (name, freezer) in [
            (
                "cgroup v1",
                Cgroup::v1("freezer", "freezer.state").map(Self::V1),
            ),
            ("cgroup v2", Cgroup::v2("cgroup.freeze").map(Self::V2)),
        ] {
            match freezer {
                Ok(freezer) => freezers.push((name, freezer)),
                Err(why) => report_skipped(
                    &format!(
                        "{} with {name}",
                        thread::current().name().unwrap_or_default()
                    ),
                    &why,
                ),
            }
        }
        thread::scope(|scope| {
            let test = &test;
            for (name, freezer) in freezers {
                thread::Builder::new()
                    // The name is a part of the message if the test panics.
                    .name(name.to_owned())
                    .spawn_scoped(scope, move || test(freezer))
                    .expect("a thread");
            }
        });
    }

    /// Makes it possible to freeze the process. Call it as soon as the process has started.
    pub(super) fn adopt(&self, process: &Extension) {
        if let Self::V1(group) | Self::V2(group) = self {
            group.adopt(process).expect("the group is ours");
        }
    }

    /// Suspends the process for this long, and runs `action` during that time.
    pub(super) fn freeze<T>(
        &self,
        process: &Extension,
        duration: Duration,
        action: impl FnOnce() -> T,
    ) -> T {
        // Also if `action` panics, since a frozen process of cgroup v1 cannot be killed.
        let thaw = ThawOnDrop(self, process);
        self.set(process, true).expect("it can be frozen");
        self.wait_until_frozen(process);
        let output = action();
        thread::sleep(duration);
        drop(thaw);
        output
    }

    fn set(&self, process: &Extension, frozen: bool) -> Result<(), String> {
        match self {
            Self::V1(group) => {
                group.try_write("freezer.state", if frozen { "FROZEN" } else { "THAWED" })
            }
            Self::V2(group) => group.try_write("cgroup.freeze", if frozen { "1" } else { "0" }),
            Self::Signal => {
                let group = Pid::from_raw(process.id().try_into().expect("a process ID"));
                let signal = if frozen {
                    Signal::SIGSTOP
                } else {
                    Signal::SIGCONT
                };
                killpg(group, signal).map_err(|error| format!("cannot send {signal}: {error}"))
            }
        }
    }

    fn wait_until_frozen(&self, process: &Extension) {
        let start = Instant::now();
        while !self.is_frozen(process) {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "it is not frozen"
            );
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_frozen(&self, process: &Extension) -> bool {
        match self {
            Self::V1(group) => group.read("freezer.state").trim() == "FROZEN",
            Self::V2(group) => group.read("cgroup.events").contains("frozen 1"),
            Self::Signal => {
                let tasks = format!("/proc/{}/task", process.id());
                let mut tasks = fs::read_dir(tasks).expect("the process runs");
                tasks.all(|task| {
                    let stat = task.map(|task| fs::read_to_string(task.path().join("stat")));
                    // The name of a thread may contain anything but the state follows its end.
                    matches!(stat, Ok(Ok(stat)) if stat.contains(") T "))
                })
            }
        }
    }
}

/// Resumes the process.
struct ThawOnDrop<'a>(&'a Freezer, &'a Extension);

impl Drop for ThawOnDrop<'_> {
    fn drop(&mut self) {
        let Self(freezer, process) = self;
        // Not `expect`: the process may be the reason for a panic that goes on.
        if let Err(why) = freezer.set(process, false) {
            report_skipped("the thaw of a process", &why);
        }
    }
}
