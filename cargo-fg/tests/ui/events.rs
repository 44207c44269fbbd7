//! Tests of the events that the page receives.

use nix::sys::signal::Signal;
use serde_json::json;

use super::{start, start_python};
use crate::dev::running::TestContext;

#[test]
fn entries_are_complete_and_in_order() {
    let context = TestContext::new();
    let (dev, page) = start_python(&context, &[]);
    let mut events = page.all_events();
    let first = events.state(|_| true);
    let expected = json!({
        "mode": "dev", "instance": "up", "frozen": false, "building": false, "batch": null, "faults": "", "seed": null,
        "synthetic": true,
    });
    assert_eq!(first, expected);
    dev.signal(Signal::SIGINT);
    let entries = events.rest();
    assert!(dev.wait_for_exit().1.success());
    let ids: Vec<_> = entries
        .iter()
        .map(|entry| entry["id"].as_u64().unwrap())
        .collect();
    let expected: Vec<_> = (1..=ids.len() as u64).collect();
    assert_eq!(ids, expected);
    assert_eq!(entries[0]["kind"], "session");
    assert_eq!(entries[0]["scripts"], json!(["extensionNightWatch.sh"]));
    // The last entries arrive although the server shuts down.
    let last = entries.last().unwrap();
    assert_eq!((&last["kind"], &last["ok"]), (&json!("end"), &json!(true)));
    let has = |kind: &str| entries.iter().any(|entry| entry["kind"] == kind);
    for kind in [
        "boot", "booted", "invoke", "invoked", "shutdown", "stopped", "down",
    ] {
        assert!(has(kind), "{kind}");
    }
}

#[test]
fn stream_resumes_where_it_was_interrupted() {
    let context = TestContext::new();
    let (_dev, page) = start_python(&context, &[]);
    let mut events = page.all_events();
    let (entry, id) = events.entry(|entry| entry["kind"] == "invoked");
    let (session, last) = id.split_once('/').unwrap();
    assert!(entry["id"].as_u64().unwrap() <= last.parse().unwrap());
    drop(events);
    page.execute("invoke", r#"{"trace_id": "second"}"#);
    let next: u64 = last.parse::<u64>().unwrap() + 1;
    let query = format!("/api/events?session={session}&after={last}");
    for (path, headers) in [
        ("/api/events", format!("last-event-id: {id}\r\n")),
        (&*query, String::new()),
        // The header wins, since the browser sends it when it connects again.
        (
            &*format!("/api/events?session={session}&after=0"),
            format!("last-event-id: {id}\r\n"),
        ),
    ] {
        let mut events = page.events(path, &headers);
        let (first, _) = events.entry(|_| true);
        assert_eq!(first["id"], next, "{path} {headers}");
        events.entry(|entry| entry["kind"] == "invoked" && entry["trace_id"] == "second");
    }
    // An ID of another run is one that this server does not know.
    for (path, headers) in [
        ("/api/events", "last-event-id: other/7\r\n"),
        ("/api/events?session=other&after=7", ""),
        ("/api/events?after=7", ""),
        ("/api/events?session=%00&after=x&&=", ""),
    ] {
        let (first, _) = page.events(path, headers).entry(|_| true);
        assert_eq!(first["id"], 1, "{path} {headers}");
    }
}

#[test]
fn details_are_fetched_by_id() {
    let context = TestContext::new();
    let (_dev, page) = start_python(&context, &[]);
    page.execute("invoke", r#"{"payload": "\u0001\u00e4", "logs": ["line"]}"#);
    let mut events = page.all_events();
    let (entry, _) = events.entry(|entry| entry["kind"] == "invoke" && entry["n"] == 2);
    let response = page.get(&format!("/api/detail/{}", entry["id"]));
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.json()["payload"], "\u{1}ä");
    assert_eq!(response.json()["logs"], json!(["line"]));
    // A page asks for an entry of the run that it shows, which may be over.
    let session = page.all_events().kind("session");
    let session = session["session"].as_str().unwrap();
    for (session, status) in [(session, 200), ("other", 404)] {
        let path = format!("/api/detail/{}?session={session}", entry["id"]);
        assert_eq!(page.get(&path).status, status, "{path}");
    }
    // The first entry has no details.
    assert_eq!(page.get("/api/detail/1").status, 404);
}

#[test]
fn page_is_exported_while_it_is_served() {
    let context = TestContext::new();
    let (_dev, page) = start_python(&context, &[]);
    let response = page.get("/api/export");
    assert_eq!(response.status, 200);
    let disposition = response.header("content-disposition").unwrap();
    assert!(
        disposition.starts_with("attachment; filename=\"cargo-fg-")
            && disposition.ends_with(".html\""),
        "{disposition}"
    );
    let text = response.text();
    assert!(text.contains(r#"<script type="application/json" id="data">"#));
    assert!(text.contains(r#""kind":"invoked""#));
}

#[test]
fn loss_names_the_invocations_of_its_events() {
    let (context, telemetry) = TestContext::with_second_port();
    let mut command = context.python(&["--ui", "--env", "FAULT=dies-later"]);
    command.env("FG_TELEMETRY_PORT", telemetry.port().to_string());
    let (_dev, page) = start(command);
    let mut events = page.all_events();
    events.kind("subscribed");
    // The extension exits at invocation 301, so telemetry about it is lost.
    page.execute("invoke", r#"{"count": 301}"#);
    let (invoked, _) = events.entry(|entry| entry["ok"] == false);
    events.entry(|entry| {
        let ids = entry["trace_ids"].as_array();
        entry["kind"] == "lost" && ids.is_some_and(|ids| ids.contains(&invoked["trace_id"]))
    });
}
