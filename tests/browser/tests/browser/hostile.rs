//! Text of extensions and of users is shown as text, whatever it contains.

use std::fs;

use fg_browser_tests::{Browser, Context, Run, Scheme, night_watch};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::page::{post, select};

/// Lines that an extension prints: markup, control characters, escape sequences, and the end of a script.
const LINES: &str = r#"
for line in [
    "<img src=x onerror=\"window.pwned = 1\">",
    "</script><script>window.pwned = 2</script><!--",
    "<style>* { display: none }</style>",
    "\x1b[31mred\x1b[0m \x1b]8;;javascript:window.pwned=3\x07link\x1b]8;;\x07 \x1b[2J\x1b[1;1Hcleared",
    "palette " + "".join(f"\x1b[{code}m{code}\x1b[0m " for code in [2, *range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)]),
    "nul \x00 bell \x07 c1 \x9b2J bidi \u202e separator \u2028 bom \ufeff",
    "${window.pwned = 4} {{7*7}} %s %n ' OR 1=1 --",
    "\t indented\r carriage return",
    "x" * 1_000_000,
    "Z\u0351\u036b\u0343\u036a\u0302" * 2_000,
]:
    print(line, flush=True)
    print(line, file=sys.stderr, flush=True)
sys.stdout.buffer.write(b"\xff\xfe not UTF-8 \xc3\n")
print("after hostile lines", flush=True)
"#;

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn hostile_text_stays_text() {
    let context = Context::new();
    let script = context.directory.path().join("<b>hostile & script.py");
    let text = fs::read_to_string(night_watch()).unwrap();
    let prints = LINES.replace('\n', "\n    ");
    let text = text.replace(
        "    print(\"pid\", os.getpid(), flush=True)\n",
        &format!("{prints}\n"),
    );
    assert!(text.contains("after hostile lines"));
    fs::write(&script, text).unwrap();
    let export = context.directory.path().join("export.html");
    let program = format!("python3 '{}'", script.display());
    let mut command = context.fg(&["dev", "--ui", "--output", "json", "--cmd", &program]);
    command
        .args(["--script", "extensionNightWatch.sh", "--export"])
        .arg(&export);
    let mut dev = Run::start(command);

    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    let payload = "</script><script>window.pwned = 5</script><img src=x onerror='window.pwned = 6'>\u{0}\u{2028}";
    post(
        &browser,
        "invoke",
        &json!({"payload": payload, "logs": ["<img src=x onerror='window.pwned = 7'>", payload]}),
    );
    browser.until_text("#invocations", "#2");
    look(&browser);
    drop(browser);

    dev.signal(Signal::SIGTERM);
    assert!(dev.wait().success());

    // The exported file has a weaker Content-Security-Policy.
    let browser = Browser::open();
    browser.goto_file(&export);
    browser.until_text("#invocations", "#2");
    look(&browser);
}

/// Looks at everything that contains hostile text, and checks that nothing of it was interpreted.
fn look(browser: &Browser) {
    select(browser, 2);
    browser.until_text("#detail", "window.pwned = 5");
    browser.press("Logs");
    // The streams are read independently, so the order of the lines is not known; the list shows some of them only.
    for text in [
        "after hostile lines",
        "<img src=x onerror=\"window.pwned = 1\">",
        "</script><script>window.pwned = 2</script><!--",
        "cleared",
        "not UTF-8",
        "carriage return",
    ] {
        browser.set("Filter by text", text);
        browser.until_text("#logs .vlist", text);
    }
    browser.set("Filter by text", "palette");
    browser.until_text("#logs .vlist", "palette");
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.prefer(scheme);
        assert_eq!(browser.audit("lowContrast()"), [""; 0], "{scheme:?}");
    }
    assert_eq!(browser.run("return window.pwned ?? null", &[]), json!(null));
    let elements = "img[src=x], body style, #main script, a[href^='javascript:'], #main b";
    let found = browser.run(
        "return document.querySelectorAll(arguments[0]).length",
        &[elements.into()],
    );
    assert_eq!(found, 0);
    assert_eq!(browser.audit("overflow()"), [""; 0]);
    // A control character has no effect on the text around it.
    let raw = browser.run(
        r"return /[\u0000-\u0008\u001b\u009b\u202e]/.test(document.body.innerText)",
        &[],
    );
    assert_eq!(raw, false, "control characters are shown escaped");
}
