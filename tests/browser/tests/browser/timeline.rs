//! The timeline: pointer, wheel and keys.

use fg_browser_tests::{Browser, Context};
use serde_json::{Value, json};

use crate::page::{post, select};

/// Sends a mouse event at a place in the timeline: parts of its width, and pixels from its top.
fn mouse(browser: &Browser, kind: &str, x: f64, y: f64) {
    let bounds = browser.run(
        "const it = document.querySelector('.timeline-area canvas').getBoundingClientRect();
         return [it.left, it.top, it.width];",
        &[],
    );
    let bound = |i: usize| bounds[i].as_f64().unwrap();
    let parameters = json!({
        "type": kind, "x": bound(0) + x * bound(2), "y": bound(1) + y, "button": "left", "clickCount": 1,
        "deltaX": 0, "deltaY": -200,
    });
    browser.cdp("Input.dispatchMouseEvent", parameters);
}

/// Clicks on places of the timeline until the expression is true. The test does not know where the bars are.
fn click_until(browser: &Browser, expression: &str) {
    let height = browser.run(
        "return document.querySelector('.timeline-area canvas').clientHeight",
        &[],
    );
    let height = height.as_f64().unwrap();
    let rows = (0..)
        .map(|i| 60.0 + 8.0 * f64::from(i))
        .take_while(|y| *y < height);
    let mut places = rows.flat_map(|y| [0.3, 0.4, 0.5, 0.6, 0.7, 0.8].map(|x| (x, y)));
    let found = places.any(|(x, y)| {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            mouse(browser, kind, x, y);
        }
        browser.run_async(
            "for (const _ of [1, 2]) await new Promise(requestAnimationFrame);",
            &[],
        );
        browser.run(&format!("return {expression}"), &[]) == Value::Bool(true)
    });
    assert!(found, "no place where `{expression}`");
}

/// The view, which the page stores when it is left.
const VIEW: &str =
    "(dispatchEvent(new Event('pagehide')), JSON.parse(sessionStorage.getItem('cargo-fg-view')))";

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn pointer_wheel_and_keys_explore_the_timeline() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    post(&browser, "invoke", &json!({"count": 3, "duration": "30ms"}));
    browser.until_text("#invocations", "#4");
    select(&browser, 3);
    browser.press("Zoom to it");
    browser.until_text("#detail", "Invocation #3");

    // A click on a delivery selects it, and one on a bar of the invocation selects that again.
    let is_selected = "document.querySelector('#detail').innerText.includes('Invocation #3')";
    click_until(&browser, &format!("!{is_selected}"));
    click_until(&browser, is_selected);

    // The wheel zooms, and the window stays where it is put while other invocations arrive.
    let width = format!("({VIEW}.to - {VIEW}.from)");
    let before = browser.until(&width).as_f64().unwrap();
    mouse(&browser, "mouseWheel", 0.5, 80.0);
    browser.until_with(&format!("{width} < arguments[0] * 0.9"), &[json!(before)]);
    let view = browser.run(&format!("return [{VIEW}.from, {VIEW}.to]"), &[]);
    post(&browser, "invoke", &json!({}));
    browser.until_text("#invocations", "#5");
    assert_eq!(
        browser.run(&format!("return [{VIEW}.from, {VIEW}.to]"), &[]),
        view
    );

    // `]` selects the next invocation, and `Follow` moves with what happens.
    browser.run("document.activeElement.blur()", &[]);
    browser.key(']');
    browser.until_text("#detail", "#4");
    browser.press("Follow");
    browser.until_with(
        &format!("{VIEW}.follow && {VIEW}.to > arguments[0]"),
        &[view[1].clone()],
    );
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn keys_that_follow_each_other_at_once_show_something() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    // Both are handled before the next frame.
    browser.run(
        "for (const key of ['l', '[']) {
            document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
        }",
        &[],
    );
    browser.until(
        "(() => {
            dispatchEvent(new Event('pagehide'));
            const {from, to, selection} = JSON.parse(sessionStorage.getItem('cargo-fg-view'));
            return selection?.n === 1 && to > from;
        })()",
    );
}
