//! The page for everyone: light and dark, on a phone, with the keyboard, and with a screen reader.

use fg_browser_tests::{Browser, Context, DESKTOP, PHONE, Run, Scheme};
use serde_json::{Value, json};

use crate::page::{post, select};

const TABS: [&str; 3] = ["Details", "Logs", "Compare"];
const TAB: char = '\u{e004}';
const SHIFT: char = '\u{e008}';
const ENTER: char = '\u{e007}';

/// Opens the page of a run, and fills it with something of everything.
fn fill(browser: &Browser, dev: &mut Run) {
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    post(
        browser,
        "invoke",
        &json!({"count": 3, "logs": ["a line of the function"], "duration": "5ms"}),
    );
    browser.until_text("#invocations", "#4");
    post(browser, "invoke", &json!({"outcome": "error"}));
    browser.until_text("#invocations", "#5");
    post(browser, "faults", &json!({"faults": "event-malformed*1"}));
    post(browser, "invoke", &json!({}));
    browser.until_text("#invocations", "#6");
    post(browser, "freeze", &json!({}));
    browser.until_text("#status", "frozen");
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn readable_and_usable_in_both_sizes_and_color_schemes() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    fill(&browser, &mut dev);
    let mut complaints = Vec::new();
    for size in [DESKTOP, PHONE, (900, 700), (320, 640)] {
        browser.resize(size, 1.0);
        let tabs = if size.0 < 900 {
            &["Invocations", "Details", "Logs", "Controls", "Compare"]
        } else {
            &TABS[..]
        };
        for scheme in [Scheme::Light, Scheme::Dark] {
            browser.prefer(scheme);
            for tab in tabs {
                if *tab == "Details" && size.0 >= 900 {
                    select(&browser, 2);
                }
                browser.press(tab);
                browser.until_with(
                    "[...document.querySelectorAll('[role=tab][aria-selected=true]')].some(it => it.innerText.startsWith(arguments[0]))",
                    &[json!(tab)],
                );
                let mut audits = vec!["lowContrast()", "overflow()", "cutTexts()"];
                if size == PHONE {
                    audits.push("smallTargets()");
                }
                for audit in audits {
                    let found = browser.audit(audit);
                    complaints.extend(
                        found
                            .iter()
                            .map(|it| format!("{size:?} {scheme:?} {tab}: {audit}: {it}")),
                    );
                }
                let unnamed = browser.unnamed();
                complaints.extend(
                    unnamed
                        .iter()
                        .map(|it| format!("{size:?} {tab}: without a name: {it}")),
                );
            }
        }
    }
    complaints.dedup();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn zoomed_page_scrolls() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    // A laptop at 200 % and 400 %.
    for (width, height) in [(640, 400), (320, 200)] {
        browser.resize((width, height), 1.0);
        browser.run("scrollTo(0, 0)", &[]);
        browser.cdp(
            "Input.dispatchMouseEvent",
            json!({"type": "mouseWheel", "x": 100, "y": 10, "deltaX": 0, "deltaY": 150}),
        );
        browser.until("scrollY > 0");
        assert_eq!(browser.audit("overflow()"), [""; 0]);
    }
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn every_control_is_reached_with_the_keyboard() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    fill(&browser, &mut dev);
    for tab in TABS {
        browser.press(tab);
        browser.run(
            "document.activeElement.blur(); window.getSelection().removeAllRanges();",
            &[],
        );
        // The click moved the place where Tab starts.
        browser.run("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex');", &[]);
        let expected = browser.audit("tabStops().map(it => (it.dataset.stop = '', describe(it)))");
        for _ in 0..expected.len() + 10 {
            browser.key(TAB);
            let problem = browser.audit(
                "(it => {
                    if (it === document.body || it === null) return [];
                    delete it.dataset.stop;
                    const {top, bottom, left, right} = it.getBoundingClientRect();
                    const isSeen = bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
                    return [
                        ...(hasVisibleFocus(it) ? [] : ['no visible focus: ' + describe(it)]),
                        ...(isSeen ? [] : ['focus outside of the window: ' + describe(it)]),
                    ];
                })(document.activeElement)",
            );
            assert_eq!(problem, [""; 0]);
        }
        let missed = browser
            .audit("[...document.querySelectorAll('[data-stop]')].filter(isVisible).map(describe)");
        assert_eq!(missed, [""; 0], "with the tab {tab} of {expected:#?}");
    }
    // Backward, without a trap.
    browser.keys_together(&[SHIFT, TAB]);

    // The invocations are listed, selected and left with keys.
    select(&browser, 6);
    browser.press("Details");
    browser.until_text("#detail", "#6");
    browser.run(
        "document.querySelector('#invocations [tabindex=\"0\"]').focus()",
        &[],
    );
    browser.key('\u{e015}');
    browser.key(ENTER);
    browser.until("!document.querySelector('#detail').innerText.includes('#6')");

    // `?` shows the shortcuts, and Escape closes them.
    browser.run("document.activeElement.blur()", &[]);
    browser.key('?');
    browser.until("document.querySelector('dialog[open]')");
    assert_eq!(browser.unnamed(), [""; 0]);
    assert_eq!(browser.audit("lowContrast()"), [""; 0]);
    browser.key('\u{e00c}');
    browser.until("!document.querySelector('dialog[open]')");
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn shortcuts_do_not_act_while_text_is_typed() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    browser.press("Logs");
    // `/` focuses the filter, and then it is a character like any other.
    browser.run("document.activeElement.blur()", &[]);
    browser.key('/');
    browser.until("document.activeElement.matches('#logs input')");
    for key in "ifrsq?/+[".chars() {
        browser.key(key);
    }
    let typed = browser.run("return document.querySelector('#logs input').value", &[]);
    assert_eq!(typed, Value::from("ifrsq?/+["));
    assert_eq!(
        browser.run("return document.querySelector('dialog[open]')", &[]),
        Value::Null
    );
}
