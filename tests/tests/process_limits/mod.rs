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

/// Prints that this machine cannot run a part of a test, even if the test harness captures the output of tests.
fn report_skipped(what: &str, why: &str) {
    // One write, so that the lines of several tests do not mix.
    let line = format!("SKIPPED {what}: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
