//! The page says which telemetry was lost, and of which invocations.

use fg_browser_tests::{Browser, Context, Run};

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn lost_telemetry_is_shown_with_its_invocations() {
    let context = Context::new();
    // The extension exits at its first invocation, so its telemetry is lost.
    let arguments = ["dev", "--ui", "--output", "json", "--env", "FAULT=dies"];
    let mut dev = Run::start(context.python(&arguments));
    let browser = Browser::open();
    browser.goto(&dev.page());
    dev.event("exited");
    browser.until_text("#status", "shut down");
    browser.until_text("#counters", "lost");
    // The first click shows the first loss.
    browser.run(
        "[...document.querySelectorAll('#counters button')].find(it => it.innerText.includes('lost')).click()",
        &[],
    );
    browser.until_text("#detail", "platform.start");
    let text = browser.text("#detail");
    assert!(!text.contains("[object"), "{text}");
    browser.until(
        "(() => {
            const link = [...document.querySelectorAll('#detail .links button')].find(it => it.innerText === '#1');
            link?.click();
            return Boolean(link);
        })()",
    );
    browser.until_text("#detail", "Its telemetry was lost");
    browser.check_console();
}
