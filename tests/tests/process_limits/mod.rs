//! Tests of what an in-process simulation cannot see: extensions as processes, under the limits of a real kernel.
//!
//! Whatever happens, each telemetry event that was acknowledged is delivered once, or reported as lost: see [`ledger`].

mod cgroup;
mod cpu;
mod descriptors;
mod disk;
mod freezer;
mod freezing;
mod ledger;
mod memory;
mod output;
mod signals;
mod threads;

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use fg_extension_tests::{Extension, ScriptedPlatform, ScriptedResponse, Start, event, post};

use self::ledger::Ledger;

const LEDGER: &str = env!("CARGO_BIN_EXE_ledger");
const INVOKE: &str = "/extension/invoke";

fn invoke(extension: &Extension, trace_id: &str) -> u16 {
    post(extension.port(), INVOKE, event(trace_id)).status
}

/// Starts a platform that accepts every registration and every subscription.
fn platform() -> ScriptedPlatform {
    ScriptedPlatform::start([ScriptedResponse::registered()])
}

/// Starts the extension, and waits until it has registered and subscribed to telemetry.
fn boot(start: Start, ledger: &Ledger) -> Extension {
    let platform = platform();
    let extension = start.env("LEDGER", ledger.file()).with(&platform).start();
    for path in ["/extension/register", "/telemetry"] {
        let request = platform.request();
        assert!(request.starts_with(&format!("POST {path} ")), "{request}");
    }
    extension
}

/// Waits until `init` has opened the file of the ledger, or the extension has exited.
fn wait_until_initialized(extension: &mut Extension, ledger: &Ledger) {
    let start = Instant::now();
    while !ledger.exists() && !extension.has_exited() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the extension neither starts nor exits"
        );
        thread::sleep(Duration::from_millis(1));
    }
}

/// Prints that this machine cannot run a part of a test, even if the test harness captures the output of tests.
fn report_skipped(what: &str, why: &str) {
    // One write, so that the lines of several tests do not mix.
    let line = format!("SKIPPED {what}: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
