//! Tests of packages whose build writes into `src`: `dev` builds once for each save, and loses no save.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::rebuild::{MANIFEST, foreign, save};
use super::running::{Running, TestContext, after_prefix, night_watch, stderr};

/// A build script that writes a source file with other contents in every build.
const BUILD_SCRIPT: &str = r#"
fn main() {
    let now = std::time::SystemTime::now();
    std::fs::write("src/generated.rs", format!("pub const BUILT: &str = \"{now:?}\";\n")).unwrap();
}
"#;

/// Writes the package, and returns the command `cargo fg dev` for it.
fn dev(context: &TestContext, main: &str) -> Command {
    let directory = context.directory.path();
    fs::create_dir(directory.join("src")).unwrap();
    fs::write(directory.join("Cargo.toml"), MANIFEST).unwrap();
    save(&directory.join("src/main.rs"), main);
    let mut command = context.fg(&["dev", "--interval", "50ms"]);
    command
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", directory.join("target"))
        // Hide the messages of rustc.
        .stderr(Stdio::null());
    command
}

#[test]
fn file_that_the_build_script_writes_causes_no_build() {
    let context = TestContext::new();
    let directory = context.directory.path().to_owned();
    let main = directory.join("src/main.rs");
    let uses_generated = |text: &str| format!("{text}\nmod generated;\n");
    fs::write(directory.join("build.rs"), BUILD_SCRIPT).unwrap();
    let mut dev = Running::start(dev(&context, &uses_generated(&foreign())));
    dev.line("invoked #1 ");

    save(
        &main,
        uses_generated(&foreign().replace("418 I'm a teapot", "200 OK")),
    );
    assert_eq!(dev.line("changed "), "changed src/main.rs");
    dev.line("registered ");
    // Longer than the pause after which changes are reported.
    for _ in 0..10 {
        dev.line_that("contains status 200", |line| line.contains(" 200 in "));
    }
    save(
        &main,
        uses_generated(&foreign().replace("418 I'm a teapot", "201 Made")),
    );
    dev.line_that("contains status 201", |line| line.contains(" 201 in "));
    let changed = after_prefix(dev.seen(), "changed ");
    assert_eq!(changed, ["src/main.rs"; 2], "{:#?}", dev.seen());
}

/// Writes a program that runs rustc, and waits after it has compiled the package while the file `hold` exists.
fn slow_rustc(directory: &Path) -> PathBuf {
    let wrapper = directory.join("slow-rustc");
    let script = format!(
        "#!/bin/sh\n\"$@\" || exit\ncase \"$*\" in *'--crate-name foreign '*) ;; *) exit ;; esac\ncd '{}'\n\
         [ ! -e hold ] || echo > held\nwhile [ -e hold ]; do sleep 0.02; done\n",
        directory.display()
    );
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, Permissions::from_mode(0o755)).unwrap();
    wrapper
}

#[test]
fn save_during_a_build_is_not_lost() {
    let context = TestContext::new();
    let directory = context.directory.path().to_owned();
    let main = directory.join("src/main.rs");
    fs::write(directory.join("build.rs"), "fn main() {}").unwrap();
    let mut command = dev(&context, &foreign());
    command.env("RUSTC_WRAPPER", slow_rustc(&directory));
    let mut dev = Running::start(command);
    dev.line("invoked #1 ");

    // The compiler has read the file when it is saved for the second time.
    fs::write(directory.join("hold"), "").unwrap();
    save(&main, foreign().replace("418 I'm a teapot", "200 OK"));
    dev.line("changed src/main.rs");
    while !directory.join("held").exists() {
        dev.line("invoked #");
    }
    save(&main, foreign().replace("418 I'm a teapot", "201 Made"));
    fs::remove_file(directory.join("hold")).unwrap();
    dev.line("changed src/main.rs");
    dev.line_that("contains status 201", |line| line.contains(" 201 in "));
}

#[test]
fn save_during_the_first_build_is_not_lost() {
    let context = TestContext::new();
    let directory = context.directory.path().to_owned();
    let mut command = dev(&context, &foreign());
    command.env("RUSTC_WRAPPER", slow_rustc(&directory));
    fs::write(directory.join("hold"), "").unwrap();
    let mut dev = Running::start(command);
    while !directory.join("held").exists() {
        std::thread::yield_now();
    }
    save(
        &directory.join("src/main.rs"),
        foreign().replace("418 I'm a teapot", "201 Made"),
    );
    fs::remove_file(directory.join("hold")).unwrap();
    dev.line("changed src/main.rs");
    dev.line_that("contains status 201", |line| line.contains(" 201 in "));
}

#[test]
fn file_that_every_build_changes_is_reported() {
    let context = TestContext::new();
    let directory = context.directory.path().to_owned();
    let wrapper = slow_rustc(&directory);
    // After the compiler has read the sources, so it looks like a save during the build.
    let script = fs::read_to_string(&wrapper).unwrap() + "date +'// %N' >> src/other.rs\n";
    let mut command = dev(&context, &format!("{}\nmod other;\n", foreign()));
    fs::write(directory.join("src/other.rs"), "").unwrap();
    fs::write(&wrapper, script).unwrap();
    command
        .env("RUSTC_WRAPPER", &wrapper)
        .stderr(Stdio::piped());
    let mut dev = Running::start(command);
    let (mut errors, expected) = (
        dev.errors(),
        "warning: not building again: each build changes src/other.rs; to build, save a file or press r",
    );
    assert!(errors.any(|line| line == expected));
    save(&directory.join("src/main.rs"), "mod other; nonsense");
    dev.line_that("names main.rs", |line| line == "changed src/main.rs");
    dev.line("failed the build failed; the current instance keeps running");
}

#[test]
fn unchanged_file_causes_no_build() {
    let context = TestContext::new();
    let directory = context.directory.path().to_owned();
    let script = directory.join("night_watch.py");
    let text = fs::read_to_string(night_watch()).unwrap();
    save(&script, &text);
    let mut command = context.python_at(&script, &["--interval", "20ms"]);
    command.current_dir(&directory);
    let mut dev = Running::start(command);
    dev.line("invoked #1 ");
    save(&script, &text);
    // The next change has to be reported separately.
    for _ in 0..15 {
        dev.line("invoked #");
    }
    save(&directory.join("beside.py"), "");
    assert_eq!(dev.line("changed "), "changed beside.py");

    let output = context.fg(&["invoke"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}
