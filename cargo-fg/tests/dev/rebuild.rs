//! Tests of files that are saved while `dev` runs: they are built and booted.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::process::Stdio;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::running::{Running, TestContext, night_watch, stderr};

#[test]
fn saved_script_is_rebooted() {
    let context = TestContext::new();
    let script = context.directory.path().join("night_watch.py");
    let text = fs::read_to_string(night_watch()).unwrap();
    save(&script, &text);
    let mut command = context.python_at(&script, &["--interval", "10ms"]);
    command.current_dir(context.directory.path());
    let mut dev = Running::start(command);
    let [pid, _] = dev.lines_in_any_order(["stdout pid ", "invoked #1 "]);

    save(&script, text.replace("\"pid\"", "\"number\""));
    assert_eq!(dev.line("changed "), "changed night_watch.py");
    // The old process exits before the new one boots on the same port.
    dev.line("stopped extensionNightWatch.sh in ");
    let [number, _] = dev.lines_in_any_order(["stdout number ", "registered "]);
    assert_ne!(number.rsplit(' ').next(), pid.rsplit(' ').next());
    dev.line("invoked #");

    // After a script that does not boot, `dev` waits for the next save.
    save(&script, "nonsense");
    dev.line("stopped ");
    dev.line("failed extensionNightWatch.sh exited with status 1 before it registered");
    dev.line("waiting for a file to be saved");
    save(&context.directory.path().join("beside.py"), "");
    assert_eq!(dev.line("changed "), "changed beside.py");
    dev.line("failed ");
    save(&script, &text);
    dev.line("registered ");
    dev.line("invoked #");
}

#[test]
fn script_is_rebooted_after_being_deleted_and_restored() {
    let context = TestContext::new();
    let directory = context.directory.path().join("scripts");
    fs::create_dir(&directory).unwrap();
    let script = directory.join("night_watch.py");
    let text = fs::read_to_string(night_watch()).unwrap();
    save(&script, &text);
    let mut dev = Running::start(context.python_at(&script, &["--interval", "1h"]));
    dev.line("invoked #1 ");

    fs::remove_file(&script).unwrap();
    dev.line("failed extensionNightWatch.sh exited with status 2 before it registered");
    save(&script, &text);
    dev.line("registered ");
    // A save causes an invocation at once, even with a long interval.
    dev.line("invoked #2 ");

    // Delete and restore the directory too, as a switch between branches does.
    fs::remove_dir_all(&directory).unwrap();
    dev.line("failed ");
    fs::create_dir(&directory).unwrap();
    save(&script, &text);
    dev.line("registered ");
    dev.line("invoked #3 ");
}

#[test]
fn script_saved_during_boot_is_rebooted() {
    let context = TestContext::new();
    let script = context.directory.path().join("night_watch.py");
    let text = fs::read_to_string(night_watch()).unwrap();
    let hangs = "print('hangs', flush=True)\n    threading.Event().wait()\n    ";
    save(
        &script,
        text.replace("print(\"pid\"", &format!("{hangs}print(\"pid\"")),
    );
    let mut dev = Running::start(context.python_at(&script, &[]));
    dev.line("stdout hangs");
    save(&script, text);
    dev.line("changed ");
    // The port of the killed process is free again.
    dev.lines_in_any_order(["stdout pid ", "registered "]);
    dev.line("invoked #");
}

#[test]
fn crashed_extension_is_booted_after_a_save() {
    let context = TestContext::new();
    let script = context.directory.path().join("night_watch.py");
    let text = fs::read_to_string(night_watch()).unwrap();
    save(
        &script,
        text.replace("os.environ.get(\"FAULT\", \"\")", "\"dies\""),
    );
    let mut dev = Running::start(context.python_at(&script, &[]));
    dev.line("exited extensionNightWatch.sh unexpectedly: it exited with status 3");
    dev.line("waiting for a file to be saved");
    let without_instance = context.fg(&["invoke"]).output().unwrap();
    assert!(
        stderr(&without_instance)
            .starts_with("error: cannot invoke: cargo fg dev has no running instance; save a file")
    );
    save(&script, text);
    dev.line("registered ");
    dev.line_that("contains status 200", |line| line.contains(" 200 in "));
}

/// Returns the source of an extension without dependencies, which builds quickly.
pub(crate) fn foreign() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/src/bin/foreign.rs");
    fs::read_to_string(path).unwrap()
}

pub(crate) const MANIFEST: &str =
    "[package]\nname = \"foreign\"\nedition = \"2024\"\n[workspace]\n";

#[test]
fn saved_package_is_rebuilt() {
    let context = TestContext::new();
    let directory = context.directory.path();
    let main = directory.join("src/main.rs");
    let foreign = foreign();
    fs::create_dir(directory.join("src")).unwrap();
    fs::write(directory.join("Cargo.toml"), MANIFEST).unwrap();
    save(&main, &foreign);
    let mut command = context.fg(&["dev", "--interval", "10ms"]);
    command
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", directory.join("target"))
        // Hide the messages of rustc.
        .stderr(Stdio::null());
    let mut dev = Running::start(command);
    dev.line("registered extensionForeign.sh at ");

    save(&main, "fn main() {");
    assert_eq!(dev.line("changed "), "changed src/main.rs");
    dev.line("failed the build failed; the current instance keeps running");
    dev.line("invoked #");

    save(&main, &foreign);
    dev.line("unchanged ");
    dev.line("invoked #");

    save(&main, foreign.replace("418 I'm a teapot", "200 OK"));
    // This extension does not handle signals.
    dev.line("stopped extensionForeign.sh in ");
    dev.line("registered ");
    dev.line_that("contains status 200", |line| line.contains(" 200 in "));
}

#[test]
fn saved_zip_is_rebooted() {
    let context = TestContext::new();
    let zip = context.directory.path().join("night-watch.zip");
    pack(&zip, "pid");
    let mut command = context.fg(&["dev", "--interval", "10ms", "--zip"]);
    command.arg(&zip).env("FG_TELEMETRY_PORT", "");
    let mut dev = Running::start(command);
    dev.lines_in_any_order(["stdout pid ", "invoked #1 "]);

    save(&zip, "nonsense");
    dev.line("failed cannot unpack ");
    dev.line("invoked #");

    pack(&zip, "number");
    dev.line("stopped extensionNightWatch.sh in ");
    dev.lines_in_any_order(["stdout number ", "invoked #"]);
}

/// Writes a ZIP with the Python extension, which prints its process ID after the label.
pub(crate) fn pack(zip: &Path, label: &str) {
    let start = "#!/bin/sh\nexec python3 \"${0%/*}/night_watch.py\"\n";
    let text = fs::read_to_string(night_watch()).unwrap();
    let text = text.replace("\"pid\"", &format!("\"{label}\""));
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = ZipWriter::new(&mut bytes);
    for (name, text) in [
        ("extensionNightWatch.sh", start),
        ("night_watch.py", text.as_str()),
    ] {
        let options = SimpleFileOptions::default().unix_permissions(0o755);
        writer
            .start_file(format!("extension/{name}"), options)
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    save(zip, bytes.into_inner());
}

/// Saves a file like an editor: writes a new file, and renames it.
pub(crate) fn save(path: &Path, text: impl AsRef<[u8]>) {
    let replacement = path.with_extension("new");
    fs::write(&replacement, text).unwrap();
    fs::rename(replacement, path).unwrap();
}
