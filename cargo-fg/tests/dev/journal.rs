//! The journal of a `dev`, as a recording contains it: it agrees with what `dev` prints.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::function::write_function;
use super::json::events;
use super::rebuild::save;
use super::running::{Running, TestContext, night_watch, stderr};

/// The entries and details of a recording.
struct Journal {
    entries: Vec<Value>,
    details: BTreeMap<u64, Value>,
}

impl Journal {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let (mut entries, mut details) = (Vec::new(), BTreeMap::new());
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            if let Some(entry) = line.get("entry") {
                entries.push(entry.clone());
            } else if let Some(detail) = line.get("detail") {
                details.insert(detail["id"].as_u64().unwrap(), detail["detail"].clone());
            }
        }
        for (i, entry) in entries.iter().enumerate() {
            assert_eq!(entry["id"], i + 1);
            assert!(number(entry, "t") >= 0.0, "{entry}");
        }
        Self { entries, details }
    }

    /// Returns the entries of a kind.
    fn of(&self, kind: &str) -> Vec<&Value> {
        let entries = self.entries.iter();
        entries.filter(|entry| entry["kind"] == kind).collect()
    }

    fn detail(&self, entry: &Value) -> &Value {
        &self.details[&entry["id"].as_u64().unwrap()]
    }

    fn kinds(&self) -> Vec<&str> {
        let kinds = self.entries.iter();
        kinds.map(|entry| entry["kind"].as_str().unwrap()).collect()
    }
}

fn number(value: &Value, field: &str) -> f64 {
    let number = value[field].as_f64();
    number.unwrap_or_else(|| panic!("no number `{field}` in {value}"))
}

/// Returns when what the entry is about had ended.
fn end(entry: &Value) -> f64 {
    number(entry, "t") + number(entry, "d")
}

/// Returns these fields of each value.
fn fields<const N: usize>(values: &[&Value], names: [&str; N]) -> Vec<Vec<Value>> {
    let fields = |value: &&Value| names.iter().map(|name| value[*name].clone()).collect();
    values.iter().map(fields).collect()
}

#[test]
fn journal_agrees_with_the_output() {
    let (context, telemetry) = TestContext::with_second_port();
    let recording = context.directory.path().join("recording");
    // The extension prints what it receives, and responds to invocations with status 418.
    let output = context
        .fg(&["dev", "-p", "fg-extension-tests", "--bin", "foreign"])
        .args(["--invocations", "3", "--output", "json", "--restore"])
        .args(["--fault", "freeze=0.5,event-duplicate*1", "--seed", "3"])
        .arg("--record")
        .arg(&recording)
        .env("FG_TELEMETRY_PORT", telemetry.port().to_string())
        .output()
        .unwrap();
    let printed = events(&output);
    let of = |kind: &str| -> Vec<&Value> {
        let of = printed.iter().filter(|event| event["event"] == kind);
        of.collect()
    };
    let journal = Journal::read(&recording);

    for (event, event_fields, kind, entry_fields) in [
        (
            "registered",
            ["script", "address", "duration_ms"],
            "cold-start",
            ["row", "address", "d"],
        ),
        (
            "output",
            ["script", "stream", "text"],
            "log",
            ["row", "stream", "text"],
        ),
        (
            "subscribed",
            ["uri", "types", ""],
            "subscribed",
            ["uri", "types", ""],
        ),
        (
            "telemetry",
            ["events", "status", "duration_ms"],
            "delivery",
            ["events", "status", "d"],
        ),
        (
            "fault",
            ["fault", "what", ""],
            "fault",
            ["fault", "what", ""],
        ),
        (
            "invoked",
            ["number", "trace_id", "duration_ms"],
            "invoked",
            ["n", "trace_id", "d"],
        ),
        (
            "stopped",
            ["script", "duration_ms", "status"],
            "stopped",
            ["row", "d", "status"],
        ),
    ] {
        let (events, entries) = (of(event), journal.of(kind));
        assert!(!events.is_empty(), "{event}: {}", stderr(&output));
        // Two threads that report at once may be printed in the other order.
        let sorted = |mut values: Vec<Vec<Value>>| {
            values.sort_by_key(|values| json!(values).to_string());
            values
        };
        assert_eq!(
            sorted(fields(&entries, entry_fields)),
            sorted(fields(&events, event_fields)),
            "{event}"
        );
    }
    let (reports, invocations) = (of("invoked"), journal.of("invoked"));
    for (report, entry) in reports.iter().zip(&invocations) {
        assert_eq!(entry["ok"], false);
        assert_eq!(entry["function"]["d"], report["function"]["duration_ms"]);
        let responses = |value: &Value, names| {
            let responses = value["extensions"].as_array().unwrap();
            fields(&responses.iter().collect::<Vec<_>>(), names)
        };
        let names = ["script", "after_ms", "duration_ms", "status", "detail"];
        assert_eq!(
            responses(entry, ["row", "after", "d", "status", "error"]),
            responses(report, names)
        );
    }

    // The times are consistent.
    let (sent, frozen, thawed) = (
        journal.of("invoke"),
        journal.of("frozen"),
        journal.of("thawed"),
    );
    for (sent, invoked) in sent.iter().zip(&invocations) {
        assert_eq!(
            fields(&[sent], ["n", "trace_id"]),
            fields(&[invoked], ["n", "trace_id"])
        );
        assert!(
            number(sent, "t") <= number(invoked, "t"),
            "{sent} {invoked}"
        );
    }
    // Two restorations, and the faults.
    let faults = of("fault")
        .iter()
        .filter(|fault| fault["fault"] == "freeze")
        .count();
    assert_eq!((frozen.len(), thawed.len()), (2 + faults, 2 + faults));
    for (frozen, thawed) in frozen.iter().zip(&thawed) {
        let duration = number(thawed, "t") - number(frozen, "t");
        assert!(duration >= 150.0, "{frozen} {thawed}");
    }
    let lifecycle = [
        "boot",
        "cold-start",
        "booted",
        "shutdown",
        "stopped",
        "down",
    ];
    let [boot, cold_start, booted, shutdown, stopped, down] = lifecycle.map(|kind| {
        let entries = journal.of(kind);
        assert_eq!(entries.len(), 1, "{kind}");
        entries[0]
    });
    assert_eq!(boot["t"], booted["t"]);
    assert!(number(boot, "t") <= number(cold_start, "t") && end(cold_start) <= end(booted));
    assert!(end(booted) <= number(sent[0], "t"));
    assert_eq!(shutdown["t"], down["t"]);
    assert!(number(shutdown, "t") <= number(stopped, "t") && end(stopped) <= end(down));
    assert_eq!(journal.kinds()[..2], ["session", "boot"]);
    assert_eq!(journal.kinds().last(), Some(&"end"));

    // What the extension received is in the details.
    let mut telemetry = Vec::new();
    for delivery in journal.of("delivery") {
        let body = journal.detail(delivery)["body"].as_str().unwrap();
        assert_eq!(delivery["bytes"], body.len());
        let events: Vec<Value> = serde_json::from_str(body).unwrap();
        assert_eq!(delivery["events"], events.len());
        let types = delivery["types"].as_object().unwrap().values();
        let count: u64 = types.map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(count as usize, events.len(), "{delivery}");
        for event in &events {
            if let Some(id) = event.get("traceId") {
                assert!(delivery["trace_ids"].as_array().unwrap().contains(id));
            }
        }
        telemetry.extend(events);
    }
    let reports = telemetry
        .iter()
        .filter(|event| event["name"] == "platform.report");
    assert_eq!(reports.count(), 3);
    for invoked in invocations {
        let event = journal.detail(invoked)["event"].as_str().unwrap();
        let event: Value = serde_json::from_str(event).unwrap();
        assert_eq!(event["traceId"], invoked["trace_id"]);
    }
}

#[test]
fn function_is_in_the_journal() {
    let context = TestContext::new();
    let directory = context.directory.path();
    let (recording, binary) = (directory.join("recording"), directory.join("payload"));
    let function = directory.join("bootstrap");
    let text = r#"#!/usr/bin/env python3
import http.client, os, sys
api = http.client.HTTPConnection(os.environ["RUNTIME_API_ADDR"])
print("<b>\x1b[2J\u202e", flush=True)
while True:
    api.request("GET", "/v1/runtime/invocation/request")
    request = api.getresponse()
    event = request.read()
    if event == b"exit":
        print("é" * 3000, file=sys.stderr, flush=True)
        os._exit(3)
    api.request("POST", f"/v1/runtime/invocation/response/{request.headers['X-Cff-Request-Id']}", event)
    api.getresponse().read()
"#;
    write_function(&function, text);
    let mut command = context.python(&["--interval", "1h", "--function"]);
    command.arg(&function).arg("--record").arg(&recording);
    let mut dev = Running::start(command);
    dev.line("result #1 ok");
    // One after the other, so that the function exits before the last one.
    fs::write(&binary, b"\xff\x00").unwrap();
    let binary = format!("@{}", binary.display());
    for (payload, succeeds) in [("exit", false), (&binary, true)] {
        let output = context.fg(&["invoke", payload]).output().unwrap();
        assert_eq!(output.status.success(), succeeds, "{}", stderr(&output));
    }
    dev.signal(Signal::SIGTERM);
    assert!(dev.wait_for_exit().1.success());
    let journal = Journal::read(&recording);
    assert_eq!(journal.entries[0]["function"], "custom-runtime");

    // It is started twice.
    let starts = journal.of("cold-start");
    let starts: Vec<_> = starts
        .iter()
        .filter(|start| start["row"] == "function")
        .collect();
    assert_eq!(starts.len(), 2);
    let exits = journal.of("exited");
    let status = json!("exited with status 3");
    assert_eq!(
        fields(&exits, ["row", "status"]),
        [[json!("function"), status]]
    );
    assert!(number(exits[0], "t") <= number(starts[1], "t"));
    let stopped = journal.of("stopped");
    assert_eq!(stopped[0]["row"], "function");

    // Lines are unchanged, and long ones are cut.
    let log = journal.of("log");
    let log: Vec<_> = log
        .into_iter()
        .filter(|line| line["row"] == "function")
        .collect();
    assert_eq!(log[0]["text"], "<b>\u{1b}[2J\u{202e}");
    let long = log.iter().find(|line| line["stream"] == "stderr").unwrap();
    assert_eq!(long["text"], "é".repeat(2048));
    assert_eq!(*journal.detail(long), json!({"text": "é".repeat(3000)}));

    // Bytes that are not UTF-8 are Base64, in both directions.
    let bytes = json!({"base64": "/wA="});
    let sent = journal.of("invoke");
    assert!(sent.iter().all(|invoke| invoke.get("outcome").is_none()));
    let binary = sent.iter().find(|invoke| invoke["n"] == 3).unwrap();
    assert_eq!(binary["payload"], "{\"base64\": \"/wA=\"}");
    assert_eq!(journal.detail(binary)["payload"], bytes);
    let invoked = journal.of("invoked");
    let binary = invoked.iter().find(|invoked| invoked["n"] == 3).unwrap();
    assert_eq!(binary["ok"], true, "{binary}");
    assert_eq!(journal.detail(binary)["response"], bytes);
}

#[test]
fn builds_and_failures_are_in_the_journal() {
    let context = TestContext::new();
    let directory = context.directory.path();
    let (script, recording) = (
        directory.join("night_watch.py"),
        directory.join("recording"),
    );
    let text = fs::read_to_string(night_watch()).unwrap();
    save(&script, &text);
    let mut command = context.python_at(&script, &["--interval", "1h", "--record"]);
    command.arg(&recording).current_dir(directory);
    let mut dev = Running::start(command);
    dev.line("invoked #1 ");
    save(&script, "nonsense");
    dev.line("failed extensionNightWatch.sh exited with status 1 before it registered");
    save(&script, &text);
    dev.line("invoked #2 ");
    dev.signal(Signal::SIGTERM);
    let (_, status) = dev.wait_for_exit();
    assert!(status.success());

    let journal = Journal::read(&recording);
    let kinds = journal.kinds();
    let kinds = kinds.into_iter().filter(|kind| {
        let expected = [
            "boot", "booted", "changed", "build", "failed", "invoked", "down", "end",
        ];
        expected.contains(kind)
    });
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        [
            "boot", "booted", "invoked", "changed", "build", "down", "boot", "failed", "down",
            "changed", "build", "boot", "booted", "invoked", "down", "end",
        ]
    );
    let instances = fields(&journal.of("boot"), ["instance"]);
    assert_eq!(instances, [[1], [2], [3]].map(|it| it.map(Value::from)));
    assert_eq!(journal.of("changed")[0]["paths"], json!(["night_watch.py"]));
    let builds = journal.of("build");
    assert_eq!(
        fields(&builds, ["outcome"]),
        [["new"], ["new"]].map(|it| it.map(Value::from))
    );
    let failed = journal.of("failed")[0]["message"].as_str().unwrap();
    assert!(
        failed.starts_with("extensionNightWatch.sh exited with status 1"),
        "{failed}"
    );
}

#[test]
fn invocation_in_flight_at_a_shutdown_is_canceled() {
    let context = TestContext::new();
    let directory = context.directory.path();
    let (recording, replay) = (directory.join("recording"), directory.join("replay"));
    let lines = r#"{"recording":1,"scripts":["extensionNightWatch.sh"]}
{"at_ms":0,"trace_id":"slow","duration":"20s","payload":"","logs":["a line"]}
{"at_ms":3600000}
"#;
    fs::write(&replay, lines).unwrap();
    let mut command = context.python(&["--replay", replay.to_str().unwrap(), "--record"]);
    command.arg(&recording);
    let mut dev = Running::start(command);
    dev.line_that("contains the trace ID", |line| line.contains("slow"));
    dev.signal(Signal::SIGTERM);
    dev.wait_for_exit();

    let journal = Journal::read(&recording);
    let (sent, canceled) = (journal.of("invoke"), journal.of("invoked"));
    assert_eq!(sent[0]["duration_ms"], 20_000.0);
    assert_eq!(journal.detail(sent[0])["logs"], json!(["a line"]));
    assert_eq!(
        (&canceled[0]["n"], &canceled[0]["ok"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(canceled[0]["function"]["outcome"], "canceled");
    assert_eq!(canceled[0]["t"], sent[0]["t"]);
    assert!(end(canceled[0]) <= end(journal.of("down")[0]));
    let log = journal.of("log");
    let line = log.iter().find(|line| line["row"] == "function").unwrap();
    assert_eq!(
        (&line["text"], &line["stream"]),
        (&json!("a line"), &json!("stdout"))
    );
}

#[test]
fn exit_of_an_extension_is_in_the_journal() {
    let context = TestContext::new();
    let recording = context.directory.path().join("recording");
    let mut command = context.python(&["--interval", "1h", "--record"]);
    command.arg(&recording);
    let mut dev = Running::start(command);
    let [pid, _] = dev.lines_in_any_order(["stdout pid ", "invoked #1 "]);
    let pid = pid.rsplit(' ').next().unwrap().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    dev.line("exited extensionNightWatch.sh unexpectedly: it was killed by SIGKILL");
    dev.signal(Signal::SIGTERM);
    dev.wait_for_exit();

    let journal = Journal::read(&recording);
    let exits = journal.of("exited");
    let exit = ["extensionNightWatch.sh", "was killed by SIGKILL"];
    assert_eq!(fields(&exits, ["row", "status"]), [exit.map(Value::from)]);
    // It exited before it was noticed.
    assert!(number(exits[0], "t") <= number(journal.of("shutdown")[0], "t"));
    assert!(journal.of("stopped").is_empty());
}
