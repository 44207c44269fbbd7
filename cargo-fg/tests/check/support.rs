//! Runs `cargo fg check` as a process, and parses its JSON.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use fg_emulator::PortLease;
use serde_json::Value;

/// Outcome and detail of each case, by ID.
pub(crate) type Cases = BTreeMap<String, (String, String)>;

pub(crate) const SCRIPT: &str = "extensionNightWatch.sh";

/// Returns the command with leased ports, because tests run in parallel.
pub(crate) fn check(arguments: &[&str]) -> (Command, [PortLease; 2]) {
    let (events, telemetry) = PortLease::acquire_pair().expect("two ports of the platform's range");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
    command
        .args(["fg", "check"])
        .args(arguments)
        .env("FG_EXTENSION_PORT", events.port().to_string())
        .env("FG_TELEMETRY_PORT", telemetry.port().to_string());
    (command, [events, telemetry])
}

/// Parses the cases of a JSON report. Standard output must contain nothing else.
pub(crate) fn cases(output: &Output) -> Cases {
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let cases = json["cases"].as_array().expect("an array of cases");
    let text = |case: &Value, field: &str| case[field].as_str().expect("a string").to_owned();
    for case in cases {
        assert!(
            ["D", "I", "?"].contains(&text(case, "mark").as_str()),
            "{case}"
        );
        assert!(!text(case, "source").is_empty(), "{case}");
    }
    let cases = cases.iter().map(|case| {
        (
            text(case, "id"),
            (text(case, "outcome"), text(case, "detail")),
        )
    });
    cases.collect()
}

/// Returns the IDs of the cases with this outcome, and with a detail that starts with this text.
pub(crate) fn ids(cases: &Cases, outcome: &str, detail: &str) -> Vec<String> {
    let matching = cases.iter().filter(|(_, (actual_outcome, actual_detail))| {
        actual_outcome == outcome && actual_detail.starts_with(detail)
    });
    matching.map(|(id, _)| id.clone()).collect()
}

/// Returns the arguments that select the Python extension.
pub(crate) fn python() -> [&'static str; 4] {
    let python = concat!(
        "python3 '",
        env!("CARGO_MANIFEST_DIR"),
        "/../fg-conformance/tests/night_watch.py'"
    );
    ["--cmd", python, "--script", SCRIPT]
}

/// Checks the Python extension with this fault.
pub(crate) fn night_watch(fault: &str, arguments: &[&str]) -> Output {
    let (mut command, _leases) = check(&python());
    command
        .args(arguments)
        .args(["--env", &format!("FAULT={fault}")]);
    command.output().expect("cargo fg runs")
}
