//! The controls do what they say, and report what they cannot do.

use fg_browser_tests::{Browser, Context, Run};
use serde_json::json;

use crate::page::post;

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn freeze_thaw_shut_down_and_boot() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    browser.until_text("#status", "up");

    browser.press("Freeze");
    dev.event("frozen");
    browser.until_text("#status", "frozen");
    browser.press("Thaw");
    dev.event("thawed");
    browser.until("!document.querySelector('#status').innerText.includes('frozen')");

    browser.press("Shut down");
    dev.event("stopped");
    browser.until("document.querySelector('#status').innerText.match(/down|ended|no instance/i)");
    // Without an instance, a freeze is rejected.
    let error = browser.run_async(
        "const headers = {'Content-Type': 'application/json'};
         return (await fetch('/api/freeze', {method: 'POST', headers, body: '{}'})).json();",
        &[],
    );
    assert!(error["error"].as_str().unwrap().len() > 10, "{error}");
    browser.press("Rebuild");
    dev.event("registered");
    browser.until_text("#status", "up");
    browser.until_text("#invocations", "#2");
    browser.console();
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn batch_is_sent_with_its_settings_and_stopped() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    dev.event("invoked");

    browser.set("Payload", "{\"order\": 42}");
    browser.set("Duration", "400ms");
    browser.set("Count", "500");
    browser.set("Concurrency", "3");
    browser.press("Invoke");
    let invoked = dev.event("invoked");
    assert!(
        invoked["function"]["duration_ms"].as_f64().unwrap() >= 400.0,
        "{invoked}"
    );
    browser.press("Stop");
    browser.until("!document.querySelector('#controls').innerText.includes('Stop')
        || [...document.querySelectorAll('#controls button')].find(it => it.innerText.includes('Stop')).disabled
        || ![...document.querySelectorAll('#controls button')].find(it => it.innerText.includes('Stop')).checkVisibility()");
    let all = "#invocations [data-filter=all] .count";
    let count: u64 = browser.text(all).parse().unwrap();
    assert!((4..100).contains(&count), "{count}");

    // The next invocation is sent as usual.
    browser.set("Count", "1");
    browser.set("Duration", "");
    browser.press("Invoke");
    dev.event_that("of the payload", |event| {
        event["event"] == "invoked" && event["function"]["duration_ms"].as_f64().unwrap() < 300.0
    });
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn faults_are_injected_and_invalid_input_is_reported() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");

    post(&browser, "faults", &json!({"faults": "event-duplicate*1"}));
    browser.press("Invoke");
    assert_eq!(dev.event("fault")["fault"], "event-duplicate");
    browser.until_text("#invocations", "#2");

    browser.set("Duration", "soon");
    browser.press("Invoke");
    browser.until("document.body.innerText.includes('soon') || document.querySelector('#controls :invalid, #controls [aria-invalid=true]')");
    browser.until("document.querySelector('#controls').innerText.match(/unit|duration/i)");
    // A rejected request is an error on the console.
    browser.console();
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn slow_shutdown_is_shown_while_it_lasts() {
    let context = Context::new();
    let fault = "FAULT=ignores-sigterm";
    let mut dev = Run::start(context.python(&["dev", "--ui", "--output", "json", "--env", fault]));
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    browser.press("Shut down");
    browser.until_text("#status", "shutting down");
    browser.until_text("#controls", "The instance is shutting down.");
    browser.until("[...document.querySelectorAll('#controls button')].find(it => it.innerText === 'Invoke').disabled");
    assert_eq!(dev.event("stopped")["killed"], true);
    browser.until_text("#status", "shut down");
    browser.until_text("#controls", "No instance runs");
    browser.check_console();
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn base64_needs_no_padding() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    browser.run(
        "const encoding = document.querySelector('[aria-label=\"Encoding of the payload\"]');
         encoding.value = 'base64';
         encoding.dispatchEvent(new Event('change'));",
        &[],
    );
    browser.set("Payload", "!");
    browser.press("Invoke");
    browser.until_text("#controls", "the payload is not base64");
    browser.set("Payload", "/ wA");
    // What was wrong has been repaired.
    browser.until(
        "!document.querySelector('#controls').innerText.includes('the payload is not base64')",
    );
    browser.press("Invoke");
    dev.event("invoked");
    browser.until_text("#invocations", "#2");
    browser.check_console();
}
