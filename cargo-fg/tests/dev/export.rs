//! Exported pages and recordings of `dev`: what they contain, and when they are written.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::json::events;
use super::running::{Running, TestContext, night_watch, stderr};

/// Returns the entries in an exported page.
pub(crate) fn exported(path: &Path) -> Vec<Value> {
    let html = fs::read_to_string(path).unwrap();
    assert!(html.ends_with("</html>\n"));
    let (_, data) = html.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    data["entries"].as_array().unwrap().clone()
}

fn kinds(entries: &[Value]) -> Vec<&str> {
    let kinds = entries.iter().map(|entry| entry["kind"].as_str().unwrap());
    kinds.collect()
}

/// Returns a path in the context's directory, as text.
fn path(context: &TestContext, name: &str) -> String {
    context.directory.path().join(name).display().to_string()
}

#[test]
fn files_contain_no_variables() {
    let context = TestContext::new();
    let (html, recording) = (path(&context, "run.html"), path(&context, "run.rec"));
    let env_file = path(&context, "settings");
    fs::write(&env_file, "FILE_SECRET=hunter2\n").unwrap();
    let output = context
        .python(&["--invocations", "2", "--output", "json"])
        .args(["--export", &html, "--record", &recording])
        .args(["--env", "SECRET=hunter2", "--user-data", "TOKEN=hunter2"])
        .args(["--env-file", &env_file])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let events = events(&output);
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["file"]),
        (&"exported".into(), &html.as_str().into())
    );
    for file in [&html, &recording] {
        assert!(!fs::read_to_string(file).unwrap().contains("hunter2"));
    }
    // Both contain the whole run.
    let entries = exported(html.as_ref());
    assert_eq!(kinds(&entries)[0], "session");
    assert_eq!(entries.last().unwrap()["ok"], true);
    let text = fs::read_to_string(&recording).unwrap();
    let recorded = text.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line.get("entry").cloned()
    });
    assert_eq!(recorded.collect::<Vec<_>>(), entries);
}

#[test]
fn environment_of_an_attached_extension_is_only_printed() {
    let context = TestContext::new();
    let html = path(&context, "run.html");
    let mut command = context.fg(&["dev", "--attach", "--script", "extensionNightWatch.sh"]);
    command
        .args(["--invocations", "1", "--export", &html])
        .args(["--env", "SECRET=hunter2", "--user-data", "TOKEN=hunter2"]);
    let mut dev = Running::start(command);
    let address = dev.line("export EXTENSION_API_ADDR=");
    dev.line("export SECRET=hunter2");
    let (_, address) = address.split_once('=').unwrap();
    let mut extension = Command::new("python3")
        .arg(night_watch())
        .env("EXTENSION_API_ADDR", address)
        .env("FG_EXTENSION_PORT", context.lease.port().to_string())
        .env("FG_TELEMETRY_PORT", "")
        .spawn()
        .unwrap();
    let (lines, status) = dev.wait_for_exit();
    extension.kill().unwrap();
    extension.wait().unwrap();
    assert!(status.success(), "{lines:?}");
    assert!(kinds(&exported(html.as_ref())).contains(&"invoked"));
    assert!(!fs::read_to_string(html).unwrap().contains("hunter2"));
}

#[test]
fn export_is_written_after_a_signal_and_after_a_failure() {
    let context = TestContext::new();
    let html = path(&context, "signal.html");
    let mut dev = Running::start(context.python(&["--export", &html]));
    dev.line("invoked #1");
    dev.signal(Signal::SIGINT);
    let (lines, status) = dev.wait_for_exit();
    assert!(status.success());
    assert_eq!(lines.last(), Some(&format!("exported {html}")));
    assert_eq!(exported(html.as_ref()).last().unwrap()["kind"], "end");

    let html = path(&context, "failure.html");
    let mut command = context.fg(&["dev", "--cmd", "false", "--script", "extensionFalse.sh"]);
    command.args(["--invocations", "1", "--export", &html]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let entries = exported(html.as_ref());
    let end = entries.last().unwrap();
    assert_eq!(end["ok"], false);
    let message = end["message"].as_str().unwrap();
    assert!(stderr(&output).contains(message), "{message}");
}

#[test]
fn unwritable_export_is_reported_before_anything_starts() {
    let context = TestContext::new();
    let directory = context.directory.path().to_str().unwrap();
    let missing = path(&context, "missing/run.html");
    for (path, reason) in [
        (directory, "it is a directory; name a file in it"),
        (&missing, "missing does not exist"),
    ] {
        let output = context.python(&["--export", path]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        assert!(stderr(&output).contains(reason), "{output:?}");
    }
}

#[test]
fn files_do_not_replace_each_other() {
    let context = TestContext::new();
    let (file, link) = (path(&context, "file"), path(&context, "link"));
    let recording = "{\"recording\":1,\"scripts\":[]}\n{\"at_ms\":0}\n";
    fs::write(&file, recording).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for arguments in [
        ["--record", &file, "--export", &link],
        ["--replay", &file, "--export", &file],
        ["--replay", &link, "--record", &file],
    ] {
        let output = context.python(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let message = format!("cannot use {} {} with", arguments[2], arguments[3]);
        assert!(stderr(&output).contains(&message), "{output:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), recording);
    }
    // Nor if the file does not exist yet.
    let (new, other) = (path(&context, "new"), path(&context, "./../NAME/./new"));
    let name = context.directory.path().file_name().unwrap();
    let other = other.replace("NAME", name.to_str().unwrap());
    let arguments = ["--record", &new, "--export", &other];
    let output = context.python(&arguments).output().unwrap();
    assert!(
        stderr(&output).contains("it is the same file"),
        "{output:?}"
    );
    assert!(!fs::exists(&new).unwrap());
    // A device is not replaced.
    let null = [
        "--record",
        "/dev/null",
        "--export",
        "/dev/null",
        "--invocations",
        "1",
    ];
    assert!(context.python(&null).output().unwrap().status.success());
}

/// Returns whether a recording contains an entry of this kind.
fn is_recorded(recording: &str, kind: &str) -> bool {
    let text = fs::read_to_string(recording).unwrap();
    text.contains(&format!("\"kind\":\"{kind}\""))
}

#[test]
fn recording_of_a_killed_dev_is_replayed() {
    let context = TestContext::new();
    let recording = path(&context, "killed");
    let mut dev = Running::start(context.python(&["--interval", "20ms", "--record", &recording]));
    dev.line("invoked #1");
    // The journal is written in the background.
    let mut invocations = 1;
    while !is_recorded(&recording, "invoked") {
        invocations += 1;
        dev.line(&format!("invoked #{invocations}"));
        assert!(invocations < 1000, "the journal is not recorded");
    }
    dev.signal(Signal::SIGKILL);
    drop(dev);
    let text = fs::read_to_string(&recording).unwrap();
    // The line that was being written when it was killed.
    fs::write(&recording, format!("{text}{{\"entry\":{{\"id\":")).unwrap();
    let replay = ["--replay", &recording];
    let output = context.python(&replay).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn full_disk_is_reported_once() {
    let context = TestContext::new();
    let recording = path(&context, "recording");
    let command = context.python(&["--invocations", "20", "--record", &recording]);
    // A limit on the size of files fails like a full disk, if its signal is ignored.
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        limited.env(name, value.unwrap_or_default());
    }
    let output = limited.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = stderr(&output);
    let warning = "the rest of this run is not recorded";
    assert_eq!(stderr.matches(warning).count(), 1, "{stderr}");
    assert!(stderr.trim_end().ends_with("is incomplete"), "{stderr}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout)
            .matches("invoked #")
            .count(),
        20
    );
}
