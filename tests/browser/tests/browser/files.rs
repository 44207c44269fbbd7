//! Exported files and recordings: opened offline, and compared.

use std::fs;
use std::path::Path;

use fg_browser_tests::{Browser, Context};
use serde_json::{Value, json};

use crate::page::{post, select};

/// The numbers, trace IDs and results of all invocations in an exported page.
fn exported(path: &Path) -> Vec<(Value, Value, Value)> {
    let page = fs::read_to_string(path).unwrap();
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let entries = data["entries"].as_array().unwrap().iter();
    let invoked = entries.filter(|entry| entry["kind"] == "invoked");
    invoked
        .map(|it| (it["n"].clone(), it["trace_id"].clone(), it["ok"].clone()))
        .collect()
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn export_opens_without_network_and_server() {
    let context = Context::new();
    let export = context.directory.path().join("run.html");
    let mut dev = context.dev(&["--export", export.to_str().unwrap()]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    post(
        &browser,
        "invoke",
        &json!({"payload": "{\"order\": 7}", "count": 3}),
    );
    browser.until_text("#invocations", "#4");
    let live = browser.text("#invocations");

    // The button exports the same as --export.
    browser.press("Export");
    let downloaded = exported(&browser.download("</html>\n"));
    drop(browser);
    assert!(dev.stop().success());
    let invocations = exported(&export);
    assert_eq!(invocations.len(), 4);
    assert_eq!(downloaded, invocations);

    let browser = Browser::open();
    browser.cdp("Network.enable", json!({}));
    browser.cdp(
        "Network.emulateNetworkConditions",
        json!({"offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}),
    );
    browser.goto_file(&export);
    browser.until_text("#invocations", "#4");
    let lines = |text: &str| {
        text.lines()
            .filter(|line| line.contains('#'))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&browser.text("#invocations")), lines(&live));
    select(&browser, 3);
    browser.until_text("#detail", invocations[2].1.as_str().unwrap());
    browser.until_text("#detail", "order");
    let canvas =
        "(canvas => canvas.width * canvas.height)(document.querySelector('.timeline-area canvas'))";
    browser.until(canvas);
    // There is nothing to control.
    assert_eq!(
        browser.run(
            "return document.querySelector('#controls').checkVisibility()",
            &[]
        ),
        false
    );
    let requests = "return performance.getEntriesByType('resource').filter(it => !it.name.startsWith('data:')).map(it => it.name)";
    assert_eq!(browser.run(requests, &[]), json!([]));
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn export_of_a_failed_run_shows_the_failure() {
    let context = Context::new();
    let export = context.directory.path().join("run.html");
    let browser = Browser::open();
    for (fault, message) in [
        ("exits-early", "exited with status 1 before it registered"),
        ("handler-fails", "2 of 2 invocations failed"),
        ("exits-3", "did not shut down cleanly"),
    ] {
        let file = export.to_str().unwrap();
        let mut dev = context.python(&["dev", "--invocations", "2", "--export", file]);
        assert!(!dev.env("FAULT", fault).output().unwrap().status.success());
        browser.goto_file(&export);
        browser.until_text("#notices", message);
        // The timeline opens with an overview, also without invocations.
        browser.until("JSON.parse(sessionStorage.getItem('cargo-fg-view'))?.to > 10");
    }
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn recording_is_opened_and_compared() {
    let context = Context::new();
    let recording = context.directory.path().join("before.rec");
    let arguments = [
        "dev",
        "--invocations",
        "3",
        "--record",
        recording.to_str().unwrap(),
    ];
    assert!(
        context
            .python(&arguments)
            .output()
            .unwrap()
            .status
            .success()
    );

    let mut dev = context.dev(&[]);
    let mut browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    browser.choose_file("#actions input[type=file]", &recording);
    browser.until_text("body", "before.rec");
    browser.until_text("#invocations", "#3");
    select(&browser, 2);
    browser.until_text("#detail", "invokedFunctionUrn");

    browser.press("Compare");
    browser.until_text("#compare", "before.rec");
    browser.until_text("#compare", "extensionNightWatch.sh");

    // What is not a recording is reported, and changes nothing.
    for (name, contents) in [
        ("empty.rec", ""),
        ("notes.txt", "shopping list\n"),
        ("page.html", "<!doctype html><p>hello"),
        ("future.rec", "{\"recording\":3}\n"),
        ("binary.png", "\u{0}\u{1}PNG"),
    ] {
        let path = context.directory.path().join(name);
        fs::write(&path, contents).unwrap();
        browser.choose_file("#actions input[type=file]", &path);
        browser.until_text("#notices", name);
    }
    // A file of a run that was killed while it wrote.
    let text = fs::read_to_string(&recording).unwrap();
    let cut = context.directory.path().join("cut.rec");
    fs::write(&cut, &text[..text.len() - 20]).unwrap();
    browser.choose_file("#actions input[type=file]", &cut);
    browser.until_text("body", "cut.rec");
    browser.allow_errors("favicon");
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn damaged_files_are_shown_or_reported() {
    let context = Context::new();
    let write = |name: &str, text: &str| {
        let path = context.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let session = json!({
        "id": 1, "t": 0, "kind": "session", "session": "s", "command": "dev", "epoch_ms": 0, "scripts": ["extensionA.sh"],
    });
    let recording = |entries: &[String]| {
        let lines = entries
            .iter()
            .map(|entry| format!("{{\"entry\":{entry}}}\n"));
        format!(
            "{{\"recording\":2}}\n{{\"entry\":{session}}}\n{}",
            lines.collect::<String>()
        )
    };

    let mut dev = context.dev(&["--export", "run.html"]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");

    // Every field of every kind of entry has a wrong type.
    let nested = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let wrong = [
        "null",
        "-1e308",
        "\"<img src=x onerror='window.pwned = 1'>\"",
        "{\"toString\":1,\"valueOf\":1}",
        "[{\"toString\":1}]",
        &nested,
    ];
    for (i, value) in wrong.iter().enumerate() {
        let fields = FIELDS.map(|field| format!("\"{field}\":{value}")).join(",");
        let entries: Vec<_> = KINDS
            .iter()
            .zip(2..)
            .map(|(kind, id)| format!("{{\"id\":{id},\"t\":{id},\"kind\":\"{kind}\",{fields}}}"))
            .collect();
        let name = format!("wrong-{i}.rec");
        browser.choose_file(
            "#actions input[type=file]",
            &write(&name, &recording(&entries)),
        );
        browser.until_text("#notices", &name);
        for tab in ["Details", "Logs"] {
            browser.press(tab);
        }
        assert_eq!(browser.run("return window.pwned ?? null", &[]), json!(null));
    }

    // The last entries of the run are the first ones of the file.
    let entries: Vec<_> = (2..10_000)
        .map(|id| {
            let n = 20_000 - id;
            format!("{{\"id\":{id},\"t\":{n},\"kind\":\"invoked\",\"n\":{n},\"trace_id\":\"t{n}\",\"d\":5e4,\"function\":{{}}}}")
        })
        .collect();
    browser.choose_file(
        "#actions input[type=file]",
        &write("backwards.rec", &recording(&entries)),
    );
    browser.until_text("#notices", "backwards.rec");
    browser.until_text("#invocations", "#19998");

    let page = "<!doctype html><script type=\"application/json\" id=\"data\">{\"entries\":[</script><script>window.pwned = 2</script>";
    browser.choose_file("#actions input[type=file]", &write("cut.html", page));
    browser.until_text("#notices", "cut.html: the data of the page is damaged");
    assert_eq!(browser.run("return window.pwned ?? null", &[]), json!(null));
    drop(browser);

    assert!(dev.stop().success());
    let export = fs::read_to_string(context.directory.path().join("run.html")).unwrap();
    let (head, rest) = export.split_once("\"entries\":[").unwrap();
    let (_, rest) = rest.split_once("</script>").unwrap();
    let cut = write("cut.html", &format!("{head}\"entries\":[</script>{rest}"));
    let browser = Browser::open();
    browser.goto_file(&cut);
    browser.until_text("#notices", "damaged");
}

const KINDS: [&str; 24] = [
    "boot",
    "cold-start",
    "booted",
    "subscribed",
    "invoke",
    "invoked",
    "delivery",
    "attempt",
    "lost",
    "log",
    "frozen",
    "thawed",
    "fault",
    "rejected",
    "shutdown",
    "stopped",
    "down",
    "exited",
    "changed",
    "build",
    "failed",
    "warning",
    "case",
    "report",
];

const FIELDS: [&str; 40] = [
    "instance",
    "row",
    "d",
    "address",
    "uri",
    "types",
    "n",
    "trace_id",
    "outcome",
    "duration_ms",
    "payload",
    "ok",
    "function",
    "extensions",
    "events",
    "bytes",
    "status",
    "trace_ids",
    "reason",
    "stream",
    "text",
    "fault",
    "what",
    "method",
    "path",
    "message",
    "killed",
    "paths",
    "case",
    "extension",
    "cases",
    "stderr",
    "command",
    "epoch_ms",
    "directory",
    "scripts",
    "faults",
    "session",
    "version",
    "reasons",
];
