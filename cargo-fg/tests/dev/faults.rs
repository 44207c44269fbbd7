//! Tests of faults and seeds, freezes, recordings, and replays.

use std::path::Path;

use serde_json::Value;

use super::json::events;
use super::running::{TestContext, after_prefix, lines, night_watch, stderr};

/// Returns the number of responses to each invocation. It is two if the invoke event was duplicated.
fn response_counts(context: &TestContext, arguments: &[&str]) -> Vec<usize> {
    let defaults = ["--output", "json"];
    let output = context
        .python(&[&defaults, arguments].concat())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let mut invoked = events(&output);
    invoked.retain(|event| event["event"] == "invoked");
    // The invocations of a recording may overlap.
    invoked.sort_by_key(|event| event["number"].as_u64());
    let response_counts = invoked
        .iter()
        .map(|event| event["extensions"].as_array().unwrap().len());
    response_counts.collect()
}

#[test]
fn same_seed_injects_the_same_faults() {
    let context = TestContext::new();
    let with = |seed| {
        let faults = [
            "--fault",
            "event-duplicate=0.5",
            "--invocations",
            "16",
            "--seed",
            seed,
        ];
        response_counts(&context, &faults)
    };
    let first = with("7");
    assert!(first.contains(&1) && first.contains(&2), "{first:?}");
    assert_eq!(with("7"), first);
    assert_ne!(with("8"), first);
}

#[test]
fn failed_run_prints_how_to_inject_the_same_faults() {
    let context = TestContext::new();
    let output = context
        .python(&["--fault", "register-rejected*1", "--invocations", "1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    let seed = lines[0].strip_prefix("faults --fault register-rejected*1 --seed ");
    let seed = seed.unwrap_or_else(|| panic!("{lines:#?}"));
    let stderr_text = stderr(&output);
    let repeat = format!(
        "; to inject the same faults again, use --fault 'register-rejected*1' --seed {seed}\n"
    );
    assert!(stderr_text.ends_with(&repeat), "{stderr_text}");
    assert_eq!(stderr_text.matches(seed).count(), 1, "{stderr_text}");
    let fault = after_prefix(&lines, "fault register-rejected: ");
    assert_eq!(fault.len(), 1, "{lines:#?}");
}

#[test]
fn freezes_after_each_invocation() {
    let context = TestContext::new();
    let output = context
        .python(&["--freeze", "--invocations", "3"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = lines(&output);
    let order: Vec<_> = lines
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .filter(|label| ["invoked", "frozen", "stopped"].contains(label))
        .collect();
    let expected = [
        "invoked", "frozen", "invoked", "frozen", "invoked", "frozen", "stopped",
    ];
    assert_eq!(order, expected, "{lines:#?}");
}

/// Returns the header and the invocations of a recording.
fn recorded(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line.get("entry").is_none() && line.get("detail").is_none())
        .collect()
}

#[test]
fn recording_is_replayed() {
    let context = TestContext::new();
    let (first, second) = (
        context.directory.path().join("first"),
        context.directory.path().join("second"),
    );
    let record = |arguments: &[&str], to: &Path| {
        let to = to.display().to_string();
        response_counts(&context, &[arguments, &["--record", &to]].concat())
    };
    let faults = [
        "--fault",
        "event-duplicate=0.5",
        "--freeze",
        "--invocations",
        "6",
        "--interval",
        "50ms",
    ];
    let responses = record(&faults, &first);
    let replay = ["--replay", first.to_str().unwrap()];
    assert_eq!(record(&replay, &second), responses);

    let (first, second) = (recorded(&first), recorded(&second));
    assert_eq!(
        first[0]["scripts"],
        serde_json::json!(["extensionNightWatch.sh"])
    );
    assert_eq!(first[0], second[0]);
    assert_eq!(first.len(), 7);
    for (before, after) in first.iter().zip(&second).skip(1) {
        for field in ["trace_id", "payload", "outcome", "duration"] {
            assert!(before[field].is_string(), "{before}");
            assert_eq!(before[field], after[field]);
        }
    }
    for recording in [&first, &second] {
        assert_eq!(recording[1]["at_ms"], 0.0, "{recording:#?}");
    }
}

#[test]
fn invalid_recording_is_reported() {
    let context = TestContext::new();
    let script = night_watch();
    let output = context
        .python(&["--replay", script.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr_text = stderr(&output);
    assert!(
        stderr_text.contains("night_watch.py: line 1 is not the header of a recording"),
        "{stderr_text}"
    );
    assert!(output.stdout.is_empty());
}
