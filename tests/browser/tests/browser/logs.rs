//! The log view and its filters.

use fg_browser_tests::{Browser, Context};
use serde_json::json;

use crate::page::post;

/// Returns the text of the shown lines.
fn shown(browser: &Browser) -> String {
    browser.text("#logs [role=grid]")
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn lines_are_filtered_by_extension_stream_and_text() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    post(
        &browser,
        "invoke",
        &json!({"logs": ["needle in the function", "hay"]}),
    );
    browser.until_text("#invocations", "#2");
    browser.press("Logs");
    browser.until_text("#logs", "needle in the function");
    browser.until_text("#logs", "pid ");

    browser.press("function");
    browser.until("!document.querySelector('#logs [role=grid]').innerText.includes('pid ')");
    assert!(shown(&browser).contains("hay"));
    browser.press("function");
    browser.until_text("#logs", "pid ");

    browser.set("Filter by text", "NEEDLE");
    browser.until("!document.querySelector('#logs [role=grid]').innerText.includes('hay')");
    assert!(shown(&browser).contains("needle in the function"));
    browser.set("Filter by text", "/^pid \\d+$/");
    browser.until_text("#logs [role=grid]", "pid ");
    assert!(!shown(&browser).contains("needle"));
    browser.set("Filter by text", "/(/");
    browser.until_text("#logs", "not a regular expression");
    browser.set("Filter by text", "no line has this");
    browser.until_text("#logs", "No line matches");
    // An expression that takes forever is stopped, and the next one is tested as usual.
    post(
        &browser,
        "invoke",
        &json!({"logs": [format!("{}!", "a".repeat(60))]}),
    );
    browser.until_text("#invocations", "#3");
    browser.set("Filter by text", "/^(a+)+$/");
    browser.until_text("#logs", "takes too long");
    browser.set("Filter by text", "/^a{60}!$/");
    browser.until_text("#logs [role=grid]", "aaaa");
    browser.run(
        "const input = document.querySelector('#logs input');
         input.value = '';
         input.dispatchEvent(new Event('input'));",
        &[],
    );
    browser.set("Stream", "stderr");
    browser.until("!document.querySelector('#logs [role=grid]').innerText.includes('pid ')");
    browser.set("Stream", "stdout and stderr");
    browser.until_text("#logs", "pid ");
}
