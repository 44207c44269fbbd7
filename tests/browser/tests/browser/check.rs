//! The report of `check --ui`.

use fg_browser_tests::{Browser, Context, Run};
use nix::sys::signal::Signal;

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn report_shows_each_case_and_how_to_fix_it() {
    let context = Context::new();
    let mut command = context.python(&["check", "--ui", "REG", "--format", "json"]);
    // This extension does not try again when its registration fails.
    command
        .env("FAULT", "no-retry")
        .stderr(std::process::Stdio::piped());
    let mut check = Run::start_reading_stderr(command);
    let browser = Browser::open();
    browser.goto(&check.page());
    browser.until_text("#report", "REG-01");
    // The summary, and what to do about the failure.
    browser.until_text("#report", "fail");
    browser.until_text("#report", "pass");
    browser.until("document.querySelector('#report').innerText.match(/REG-0\\d/g).length > 2");
    assert_eq!(
        browser.run(
            "return document.querySelector('#controls').checkVisibility()",
            &[]
        ),
        false
    );
    assert_eq!(browser.audit("overflow()"), [""; 0]);
    assert_eq!(browser.audit("lowContrast()"), [""; 0]);
    assert_eq!(browser.unnamed(), [""; 0]);

    drop(browser);
    check.event_that("waiting", |line| {
        line.as_str().is_some_and(|line| line.contains("waiting"))
    });
    // The exit status is that of the check, after the user has looked at the page.
    check.signal(Signal::SIGTERM);
    assert_eq!(check.wait().code(), Some(1));
}
