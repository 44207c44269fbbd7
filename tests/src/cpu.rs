//! Uses the CPU.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Only Linux counts the CPU time of a thread.
#[cfg(target_os = "linux")]
const THIS: UsageWho = UsageWho::RUSAGE_THREAD;
#[cfg(not(target_os = "linux"))]
const THIS: UsageWho = UsageWho::RUSAGE_SELF;

/// Uses the CPU for 30 ms, however long that takes.
///
/// # Panics
///
/// Panics if the CPU time cannot be read.
pub fn compute() {
    let cpu_time = || {
        let usage = getrusage(THIS).expect("it is supported");
        (usage.user_time() + usage.system_time()).num_milliseconds()
    };
    let start = cpu_time();
    while cpu_time() - start < 30 {}
}
