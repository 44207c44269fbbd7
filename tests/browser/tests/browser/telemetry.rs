//! The page says which telemetry was lost, and of which invocations.

use fg_browser_tests::{Browser, Context, Run};
use serde_json::json;

use crate::page::post;

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn lost_telemetry_is_shown_with_its_invocations() {
    let context = Context::new();
    // The extension exits at invocation 301, so telemetry about it is lost.
    let fault = "FAULT=dies-later";
    let arguments = ["dev", "--ui", "--output", "json", "--env", fault];
    let mut dev = Run::start(context.python(&arguments));
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    dev.event("subscribed");
    post(&browser, "invoke", &json!({"count": 301}));
    dev.event("exited");
    browser.until_text("#status", "shut down");
    browser.until_text("#counters", "lost");
    // The first click shows the first loss.
    browser.run(
        "[...document.querySelectorAll('#counters button')].find(it => it.innerText.includes('lost')).click()",
        &[],
    );
    // Which events were in the first batch that was lost depends on the time of the exit.
    browser.until_text("#detail", "platform.");
    let text = browser.text("#detail");
    assert!(!text.contains("[object"), "{text}");
    browser.until(
        "(() => {
            const link = document.querySelector('#detail .links button');
            link?.click();
            return Boolean(link);
        })()",
    );
    browser.until_text("#detail", "Invocation #");
    browser.until_text("#detail", "lost");
    browser.check_console();
}
