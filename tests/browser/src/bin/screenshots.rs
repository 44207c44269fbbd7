//! Takes the screenshots of the guide: runs examples of this repository, and looks at their page. Run by `cargo xtask screenshots`.
#![allow(
    clippy::unwrap_used,
    reason = "a maintenance command may panic like a test"
)]

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use fg_browser_tests::{Browser, DESKTOP, Options, PHONE, Run, Scheme, Size, cargo_fg};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The size of an image in the repository.
const MAX_BYTES: usize = 150_000;

/// Where the commands run, so that the page shows the name of no other directory.
struct Workspace {
    directory: TempDir,
}

fn main() {
    let workspace = Workspace {
        directory: tempfile::tempdir().unwrap(),
    };
    fs::create_dir(workspace.path("orders")).unwrap();
    take_run(&workspace);
    take_comparison(&workspace);
    take_report(&workspace);
}

/// The page during a run: the timeline, an invocation, and the log.
fn take_run(workspace: &Workspace) {
    // It takes a second to start, in which the run would show nothing.
    let browser = open(DESKTOP);
    let mut dev = Run::start(workspace.fg(&[
        "dev",
        "-p",
        "telemetry-archive",
        "--also",
        "audit-log",
        "--also",
        "hello",
        "--ui",
        "--output",
        "json",
        "--env",
        &format!("AUDIT_LOG={}", workspace.path("audit.log").display()),
        "--env",
        &format!("ARCHIVE_FILE={}", workspace.path("archive").display()),
    ]));
    browser.goto(&dev.page());
    browser.until_text("#invocations", "#1");
    dev.event("invoked");
    let order = |number: u32, duration: &str, outcome: &str| {
        json!({
            "payload": format!("{{\"order\": {number}, \"items\": [\"tea\", \"cups\"]}}"),
            "duration": duration,
            "outcome": outcome,
            "logs": [format!("charging order {number}")],
        })
    };
    let mut invoke = |body: Value| {
        let count = body["count"].as_u64().unwrap_or(1);
        post(&browser, "invoke", &body);
        for _ in 0..count {
            dev.event("invoked");
        }
    };
    invoke(order(4711, "18ms", "ok"));
    invoke(order(4712, "25ms", "ok"));
    post(&browser, "freeze", &json!({}));
    invoke(order(4713, "31ms", "error"));
    let mut several = order(4714, "22ms", "ok");
    several["count"] = json!(6);
    several["concurrency"] = json!(3);
    invoke(several);
    invoke(order(4720, "64ms", "ok"));
    // The telemetry of the last invocation has been delivered.
    dev.event("telemetry");
    browser.until_text("#invocations", "#11");
    show_all(&browser);
    select(&browser, 11);
    browser.until_text("#detail", "order");
    take(&browser, "page-light");
    browser.prefer(Scheme::Dark);
    take(&browser, "page-dark");
    browser.press("Logs");
    browser.until_text("#logs", "charging order");
    take(&browser, "logs-dark");

    browser.prefer(Scheme::Light);
    browser.resize(PHONE, 1.0);
    browser.press("Invocations");
    take(&browser, "phone-light");
    assert!(dev.stop().success());
}

/// Two builds that have received the same invocations.
fn take_comparison(workspace: &Workspace) {
    let record = |arguments: &[&str]| {
        let base = ["dev", "-p", "hello", "--also", "audit-log", "--env"];
        let log = format!("AUDIT_LOG={}", workspace.path("audit.log").display());
        let arguments = [&base, &[log.as_str()][..], arguments].concat();
        let output = workspace.fg(&arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    record(&[
        "--interval",
        "20ms",
        "--invocations",
        "40",
        "--record",
        "before",
    ]);
    record(&["--release", "--replay", "before", "--export", "after.html"]);
    let browser = open(DESKTOP);
    browser.goto_file(&workspace.path("orders/after.html"));
    browser.until_text("#invocations", "#40");
    let before = workspace.path("orders/before");
    browser.press("Compare");
    browser.choose_file("#compare input[type=file]", &before);
    browser.until_text("#compare", "before");
    take(&browser, "compare-light");
}

/// The report of `check`, with a failure.
fn take_report(workspace: &Workspace) {
    let program = format!("python3 {}", fg_browser_tests::night_watch().display());
    let mut command = workspace.fg(&[
        "check",
        "--ui",
        "--cmd",
        &program,
        "--script",
        "extensionNightWatch.sh",
        "REG",
        "INV",
        "END",
    ]);
    command.env("FAULT", "no-retry");
    let mut check = Run::start_reading_stderr(command);
    let browser = open(DESKTOP);
    browser.goto(&check.page());
    browser.until_text("#report", "1 case failed");
    take(&browser, "report-light");
}

impl Workspace {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the command `cargo fg` for the packages of this repository. Their ports must be free.
    fn fg(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo_fg());
        command.arg("fg").args(arguments);
        if !arguments.contains(&"--cmd") {
            command
                .arg("--manifest-path")
                .arg(root().join("Cargo.toml"));
        }
        command
            .current_dir(self.path("orders"))
            .env("XDG_RUNTIME_DIR", self.directory.path());
        command
    }
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap()
}

fn open(size: Size) -> Browser {
    let browser = Browser::with(&Options {
        size,
        ..Options::default()
    });
    // A caret would blink, and an animation be at another place each time.
    browser.media("prefers-reduced-motion", "reduce");
    browser.prefer(Scheme::Light);
    browser
}

/// Sends a request of the page.
fn post(browser: &Browser, path: &str, body: &Value) {
    browser.run_async(
        "const [path, body] = arguments;
         const response = await fetch(`/api/${path}`, {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(body)});
         if (!response.ok) throw new Error(await response.text());",
        &[json!(path), body.clone()],
    );
}

/// Zooms to the whole run.
fn show_all(browser: &Browser) {
    browser.run("document.activeElement.blur()", &[]);
    browser.key('0');
}

/// Selects an invocation in the list.
fn select(browser: &Browser, number: u64) {
    let row = "[...document.querySelectorAll('#invocations [role=option]')]
        .find(row => new RegExp(`#${arguments[0]}\\\\b`).test(row.innerText))";
    browser.until_with(&format!("({row}) !== undefined"), &[json!(number)]);
    browser.run(&format!("{row}.click()"), &[json!(number)]);
}

/// Writes an image of the page, once nothing on it changes anymore.
fn take(browser: &Browser, name: &str) {
    let mut image = browser.screenshot();
    loop {
        browser.run_async(
            "await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))",
            &[],
        );
        let next = browser.screenshot();
        if next == image {
            break;
        }
        image = next;
    }
    let image = compress(&image);
    let path = root().join(format!("docs/guide/images/{name}.png"));
    assert!(image.len() <= MAX_BYTES, "{name} has {} bytes", image.len());
    fs::write(&path, image).unwrap();
    println!("{}", path.display());
}

/// Encodes an image again. For text on plain backgrounds, this saves a quarter compared with what Chromium writes.
fn compress(image: &[u8]) -> Vec<u8> {
    let mut reader = png::Decoder::new(Cursor::new(image)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let mut compressed = Vec::new();
    let mut encoder = png::Encoder::new(&mut compressed, info.width, info.height);
    encoder.set_color(info.color_type);
    encoder.set_depth(info.bit_depth);
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_deflate_compression(png::DeflateCompression::Level(9));
    let mut writer = encoder.write_header().unwrap();
    writer
        .write_image_data(&pixels[..info.buffer_size()])
        .unwrap();
    writer.finish().unwrap();
    compressed
}
