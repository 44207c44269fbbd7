//! The page of `check`, and its export.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::support::{cases, check, ids, night_watch, python};
use crate::dev::export::exported;

#[test]
fn page_stays_and_stdout_is_the_report() {
    let directory = tempfile::tempdir().unwrap();
    let export = directory.path().join("report.html");
    let (mut command, _leases) = check(&python());
    command
        .args(["REG", "--ui", "--format", "json", "--env", "SECRET=hunter2"])
        .args(["--env", "FAULT=no-retry", "--export"])
        .arg(&export)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut line = |prefix: &str| -> String {
        let line =
            lines.find_map(|line| Some(line.unwrap().trim().strip_prefix(prefix)?.to_owned()));
        line.unwrap_or_else(|| panic!("no line `{prefix}`"))
    };
    let url = line("page ");
    assert_eq!(line("exported "), export.display().to_string());
    assert!(line("waiting for Ctrl-C").ends_with(&url));

    // The page is served after the report.
    let address = url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");

    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let cases = cases(&output);
    assert_eq!(ids(&cases, "fail", ""), ["REG-07"]);

    let entries = exported(&export);
    assert_eq!(entries[0]["command"], "check");
    assert_eq!(entries[0]["cases"], 9);
    let reported = entries.iter().filter(|entry| entry["kind"] == "case");
    assert_eq!(reported.count(), 9);
    let report = &entries[entries.len() - 2];
    assert_eq!(report["kind"], "report");
    let report = report["cases"].as_array().unwrap();
    for case in report {
        let (outcome, detail) = &cases[case["id"].as_str().unwrap()];
        assert_eq!(
            (&case["outcome"], &case["detail"]),
            (&Value::from(&**outcome), &Value::from(&**detail))
        );
        assert!(!case["remedy"].as_str().unwrap().is_empty());
    }
    assert_eq!(report.len(), cases.len());
    assert!(!std::fs::read_to_string(export).unwrap().contains("hunter2"));
}

#[test]
fn export_is_written_if_the_cases_cannot_be_run() {
    let directory = tempfile::tempdir().unwrap();
    let export = directory.path().join("report.html");
    let missing = [
        "--cmd",
        "/no/such/program",
        "--script",
        "extensionMissing.sh",
    ];
    let (mut command, _leases) = check(&missing);
    let output = command
        .args(["REG", "--ui", "--export"])
        .arg(&export)
        .output()
        .unwrap();
    // The page is not kept.
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let entries = exported(&export);
    let message = entries.last().unwrap()["message"].as_str().unwrap();
    assert!(message.contains("/no/such/program"), "{message}");
}

#[test]
fn unusable_views_are_reported_before_a_build() {
    for (arguments, reason) in [
        (
            &["--ui=8085"][..],
            "ports 8081 to 8090 are those of extensions",
        ),
        (&["--ui", "9000"], "write --ui=9000"),
        (
            &["--export=/no/such/report.html"],
            "the directory /no/such does not exist",
        ),
    ] {
        let output = night_watch("", arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(reason), "{stderr}");
        assert!(output.stdout.is_empty());
    }
}
