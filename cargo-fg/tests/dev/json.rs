//! Tests of `--output json`: stdout contains events only.

use std::process::Output;

use serde_json::Value;

use super::running::{TestContext, stderr};

/// Parses every line of the output as an event.
pub(crate) fn events(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let events = text.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let time = event["time"].as_str().unwrap();
        // For example 2026-11-24T19:05:52.300Z.
        assert!(time.len() == 24 && time.ends_with('Z'), "{line}");
        humantime::parse_rfc3339(time).unwrap();
        assert!(event["event"].is_string(), "{line}");
        event
    });
    events.collect()
}

#[test]
fn every_line_is_an_event() {
    let context = TestContext::new();
    let output = context
        .python(&["--invocations", "2", "--output", "json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let events = events(&output);
    let of = |kind: &str| {
        let of = events.iter().filter(|event| event["event"] == kind);
        of.cloned().collect::<Vec<_>>()
    };
    let address = format!("127.0.0.1:{}", context.lease.port());
    assert!(
        events[0]["address"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    assert_eq!(of("registered")[0]["address"], *address);
    let invoked = of("invoked");
    assert_eq!(invoked.len(), 2);
    for (i, event) in invoked.iter().enumerate() {
        assert_eq!(event["number"], i + 1);
        assert_eq!(event["ok"], true);
        assert_eq!(event["function"]["outcome"], "ok");
        assert_eq!(event["extensions"][0]["script"], "extensionNightWatch.sh");
        assert_eq!(event["extensions"][0]["status"], 200);
        assert!(event["extensions"][0]["duration_ms"].as_f64().unwrap() > 0.0);
        let trace_id = event["trace_id"].as_str().unwrap();
        let printed = of("output");
        let printed = printed
            .iter()
            .find(|output| output["text"].as_str().unwrap().contains(trace_id));
        assert_eq!(printed.unwrap()["stream"], "stdout");
    }
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["status"]),
        (&"stopped".into(), &"exited with status 0".into())
    );
    let known = ["platform", "output", "registered", "invoked", "stopped"];
    for event in &events {
        assert!(known.contains(&event["event"].as_str().unwrap()), "{event}");
    }
}

#[test]
fn output_of_cargo_goes_to_stderr() {
    let context = TestContext::new();
    let output = context
        .fg(&[
            "dev",
            "-p",
            "hello",
            "--invocations",
            "1",
            "--output",
            "json",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(events(&output).len() >= 4);
    assert!(stderr(&output).contains("Finished"));
}
