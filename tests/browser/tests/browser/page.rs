//! The page shows what happens, keeps its view across reloads, and survives the end of `dev`.

use std::net::TcpListener;

use fg_browser_tests::{Browser, Context, Run};
use serde_json::json;

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn invocations_appear_with_all_their_details() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    assert!(
        browser
            .run("return document.title", &[])
            .as_str()
            .unwrap()
            .contains("cargo fg")
    );

    // The invocation after the boot, and one that was sent with the button.
    browser.until_text("#invocations", "#1");
    browser.press("Invoke");
    browser.until_text("#invocations", "#2");
    dev.event("invoked");
    let trace_id = dev.event("invoked")["trace_id"]
        .as_str()
        .unwrap()
        .to_owned();

    let canvas =
        "(canvas => canvas.width * canvas.height)(document.querySelector('.timeline-area canvas'))";
    assert!(browser.until(canvas).as_f64().unwrap() > 10_000.0);

    select(&browser, 2);
    // Deliveries after the first one are folded, and their telemetry arrives after the invocation.
    browser.until(
        "(() => {
            for (const it of document.querySelectorAll('#detail details:not([open]) > summary')) it.click();
            return document.querySelector('#detail').innerText.includes('platform.report');
        })()",
    );
    for text in [
        // The event that was posted to the extension, its response, and the telemetry as it came.
        &trace_id,
        "invokedFunctionUrn",
        "extensionNightWatch.sh",
        "platform.report",
    ] {
        browser.until_text("#detail", text);
    }
    // The extension prints the trace ID.
    browser.press("Logs");
    browser.until_text("#logs", &trace_id);
    browser.until_text("#logs", "pid ");
    drop(browser);
    assert!(dev.stop().success());
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn reload_keeps_the_view() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    post(&browser, "invoke", &json!({"count": 20}));
    browser.until_text("#invocations", "#21");
    select(&browser, 20);
    let detail = "document.querySelector('#detail').innerText";
    browser.until(&format!("{detail}.includes('#20')"));
    browser.press("Logs");
    browser.until("document.querySelector('#logs').checkVisibility()");

    browser.reload();
    browser.until("document.querySelector('#logs').checkVisibility()");
    browser.press("Details");
    browser.until(&format!("{detail}.includes('#20')"));
    browser.until_text("#invocations", "#21");
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn page_survives_a_restart_of_dev() {
    let context = Context::new();
    // Not the default port, which another test would use as soon as it is free.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let ui = format!("--ui={port}");
    let start = || Run::start(context.python(&["dev", &ui, "--output", "json"]));
    let mut dev = start();
    let page = dev.page();
    let mut browser = Browser::open();
    // The page tries to connect while the server is down.
    browser.allow_errors("ERR_CONNECTION_REFUSED");
    browser.allow_errors("ERR_INCOMPLETE_CHUNKED_ENCODING");
    browser.goto(&page);
    browser.until_text("#invocations", "#1");
    browser.run("window.sameDocument = true", &[]);
    post(
        &browser,
        "invoke",
        &json!({"count": 5, "payload": "before the restart"}),
    );
    browser.until_text("#invocations", "#6");
    select(&browser, 2);
    browser.until_text("#detail", "before the restart");

    dev.kill();
    browser.until_text("#status", "disconnected");
    // What happened can still be looked at, but not be continued.
    select(&browser, 3);
    browser.until_text("#detail", "#3");
    browser.until(
        "['Invoke', 'Freeze', 'Rebuild', 'Shut down'].every(name =>
            [...document.querySelectorAll('#controls button')].find(it => it.innerText.startsWith(name)).disabled)",
    );

    let mut dev = start();
    assert_eq!(dev.page(), page);
    browser.until("!document.querySelector('#status').innerText.includes('disconnected')");
    browser.until("!document.querySelector('#invocations').innerText.includes('#6')");
    browser.until_text("#invocations", "#1");
    post(&browser, "invoke", &json!({"payload": "after the restart"}));
    browser.until_text("#invocations", "#2");
    // The entries have the same IDs as those of the first run.
    select(&browser, 2);
    browser.until_text("#detail", "after the restart");
    assert!(!browser.text("#detail").contains("before the restart"));
    // The document was not loaded again.
    assert_eq!(browser.run("return window.sameDocument", &[]), true);
}

/// Selects an invocation in the list. The list contains only the rows that are visible, so it is scrolled. The row is clicked by
/// the script that finds it, since the list can create it again at any time.
pub(crate) fn select(browser: &Browser, n: u64) {
    browser.until_with(
        "(() => {
            const list = document.querySelector('#invocations [role=listbox]');
            const rows = [...list.querySelectorAll('[role=option]')];
            const row = rows.find(it => new RegExp(`#${arguments[0]}\\\\b`).test(it.innerText));
            if (!row) {
                const before = list.scrollTop;
                list.scrollTop += list.clientHeight / 2;
                if (list.scrollTop === before) list.scrollTop = 0;
                return false;
            }
            row.click();
            return true;
        })()",
        &[json!(n)],
    );
}

/// Posts to the server, as the controls of the page do.
pub(crate) fn post(browser: &Browser, path: &str, body: &serde_json::Value) -> serde_json::Value {
    browser.run_async(
        "const [path, body] = arguments;
         const headers = {'Content-Type': 'application/json'};
         const response = await fetch(`/api/${path}`, {method: 'POST', headers, body: JSON.stringify(body)});
         const result = await response.json();
         if (!response.ok) throw `${response.status}: ${result.error}`;
         return result;",
        &[json!(path), body.clone()],
    )
}
