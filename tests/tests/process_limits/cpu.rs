//! An extension that gets 5 % of a CPU: it registers, serves, and shuts down, and no handler is reported to block.

use std::process::{Child, Command};

use fg_extension_tests::{Client, Extension, Start, event, request};

use super::cgroup::Cgroup;
use super::ledger::Ledger;
use super::{INVOKE, LEDGER, boot, invoke, report_skipped};

/// Registers, serves invocations and telemetry, and shuts down. Nothing is lost, and no handler is reported.
fn assert_unharmed(start: Start, trace_id: &str) {
    let ledger = Ledger::new();
    // A first registration that takes too long would be retried, which is not the subject of this test.
    let extension = boot(start.env("FG_REGISTER_TIMEOUT", "20s"), &ledger);
    for _ in 0..3 {
        assert_eq!(invoke(&extension, trace_id), 200);
        assert_eq!(ledger.post(extension.port(), 5), 200);
    }
    let mut clients: Vec<_> = (0..10).map(|_| in_flight(&extension)).collect();
    let exited = extension.terminate();
    // They have arrived before the signal.
    for client in &mut clients {
        assert_eq!(client.receive().status, 200);
    }
    assert_eq!(ledger.assert_balanced(&exited).acknowledged, 15);
    assert_eq!(exited.stderr, "");
}

fn in_flight(extension: &Extension) -> Client {
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("1")));
    client
}

#[test]
fn five_percent_of_a_cpu_is_enough() {
    let name = "five_percent_of_a_cpu_is_enough";
    let v1 = Cgroup::v1("cpu", "cpu.cfs_quota_us").inspect(|group| {
        group.write("cpu.cfs_period_us", "100000");
        group.write("cpu.cfs_quota_us", "5000");
    });
    let v2 = |why| {
        let group = Cgroup::v2("cpu.max").map_err(|also| format!("{why}; {also}"))?;
        group.write("cpu.max", "5000 100000");
        Ok::<_, String>(group)
    };
    match v1.or_else(v2) {
        Ok(group) => assert_unharmed(
            Start::by_script(LEDGER, &format!("{}; exec \"$0\"", group.enter())),
            "compute",
        ),
        Err(why) => report_skipped(&format!("{name} with a quota"), &why),
    }
}

/// On every machine: the least important process on a CPU that others use.
#[test]
fn nice_process_among_busy_ones_is_unharmed() {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let cpus = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let cpu = cpus.and_then(|cpus| cpus.trim().split([',', '-']).next());
    let cpu = cpu.expect("there is a CPU");
    let mut busy = Busy::start(cpu);
    let start = Start::new("taskset").args(["-c", cpu, "nice", "-n", "19", LEDGER]);
    // It gets 1.4 % of the CPU, and less if others use it too, so it must have more time.
    assert_unharmed(start.env("FG_SHUTDOWN_TIMEOUT", "20s"), "1");
    assert!(busy.is_running(), "the CPU was not busy");
}

/// A process that uses a CPU until it is dropped.
struct Busy(Child);

impl Busy {
    fn start(cpu: &str) -> Self {
        let mut command = Command::new("taskset");
        // Not for longer than the test process runs, even if that is killed.
        let busy = "while kill -0 $PPID; do :; done";
        command.args(["-c", cpu, "sh", "-c", busy]);
        Self(command.spawn().expect("util-linux is installed"))
    }

    fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
