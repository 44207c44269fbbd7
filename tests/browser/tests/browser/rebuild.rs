//! Saved sources are rebuilt while the page is open.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use fg_browser_tests::{Browser, Context, Run, night_watch};

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn page_follows_builds() {
    let context = Context::new();
    let directory = context.directory.path();
    let foreign = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/bin/foreign.rs");
    let foreign = fs::read_to_string(foreign).unwrap();
    let main = directory.join("src/main.rs");
    fs::create_dir(directory.join("src")).unwrap();
    let manifest = "[package]\nname = \"foreign\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    fs::write(&main, &foreign).unwrap();
    let mut command = context.fg(&["dev", "--ui", "--output", "json"]);
    command
        .env("CARGO_TARGET_DIR", directory.join("target"))
        // Hide the messages of rustc.
        .stderr(Stdio::null());
    let mut dev = Run::start(command);

    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.run("window.sameDocument = true", &[]);
    browser.until_text("#invocations", "#1");
    dev.event("invoked");

    save(&main, "fn main() {");
    dev.event("failed");
    browser.until_text("#notices", "the build failed");
    browser.press("Invoke");
    browser.until_text("#invocations", "#2");

    // Another program: the instance is shut down, and a new one boots.
    save(&main, &foreign.replace("418 I'm a teapot", "200 OK"));
    dev.event("stopped");
    dev.event("registered");
    browser.until_text("#invocations", "#3");
    assert_eq!(browser.text("#notices"), "");

    // The button rebuilds and boots, although the program is the same.
    browser.press("Rebuild");
    dev.event("stopped");
    browser.until_text("#invocations", "#4");
    assert_eq!(browser.run("return window.sameDocument", &[]), true);
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn failed_boot_waits_for_the_page() {
    let context = Context::new();
    let script = context.directory.path().join("night_watch.py");
    fs::write(&script, "import sys; sys.exit('cannot find the vault')").unwrap();
    let program = format!("python3 {}", script.display());
    let mut command = context.fg(&["dev", "--ui", "--output", "json", "--cmd", &program]);
    command.args(["--script", "extensionNightWatch.sh"]);
    let mut dev = Run::start(command);
    let browser = Browser::open();
    browser.goto(&dev.page());
    browser.until_text("#notices", "exited with status 1 before it registered");
    browser.press("Logs");
    browser.until_text("#logs", "cannot find the vault");

    save(&script, &fs::read_to_string(night_watch()).unwrap());
    browser.until_text("#invocations", "#1");
    browser.until("document.querySelector('#notices').innerText === ''");
    drop(browser);
    assert!(dev.stop().success());
}

/// Saves a file like an editor: writes a new file, and renames it.
fn save(path: &Path, text: &str) {
    let replacement = path.with_extension("new");
    fs::write(&replacement, text).unwrap();
    fs::rename(replacement, path).unwrap();
}
