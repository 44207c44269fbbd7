//! Tests of packages whose build writes into `src`: `dev` builds once for each save, and loses no save.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::rebuild::{MANIFEST, foreign, save};
use super::running::{Running, TestContext, after_prefix, night_watch, stderr};

/// Returns a build script that writes a source file in every build, with the result of this expression.
fn build_script(value: &str) -> String {
    format!(
        "fn main() {{ std::fs::write(\"src/generated.rs\", \
         format!(\"pub const BUILT: &str = \\\"{{:?}}\\\";\\n\", {value})).unwrap(); }}"
    )
}

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

/// Returns the source of a program that uses the generated file, and responds with this status.
fn uses_generated(status: &str) -> String {
    let source = foreign().replace("418 I'm a teapot", status);
    format!("{source}\nmod generated;\n")
}

/// Saves the program with other statuses, and asserts that only these saves cause builds. The last one is a sentinel: the
/// changes that the build before it made are reported before it.
fn assert_saves_cause_one_build_each(dev: &mut Running, main: &Path) {
    let before = after_prefix(dev.seen(), "changed ").len();
    for status in ["200 OK", "201 Made", "202 Accepted"] {
        save(main, uses_generated(status));
        let (code, _) = status.split_once(' ').unwrap();
        dev.line_that("contains the status", |line| {
            line.contains(&format!(" {code} in "))
        });
    }
    let changed = after_prefix(dev.seen(), "changed ");
    assert_eq!(changed[before..], ["src/main.rs"; 3], "{:#?}", dev.seen());
}

#[test]
fn file_that_the_build_script_writes_causes_one_build() {
    let context = TestContext::new();
    let directory = context.directory.path().to_owned();
    fs::write(directory.join("build.rs"), build_script("0")).unwrap();
    let mut dev = Running::start(dev(&context, &uses_generated("418 I'm a teapot")));
    // It may have been the user who wrote it during the first build.
    dev.line("changed src/generated.rs");
    dev.line("unchanged ");
    assert_saves_cause_one_build_each(&mut dev, &directory.join("src/main.rs"));
}

#[test]
fn file_that_the_build_script_changes_is_reported_once() {
    let context = TestContext::new();
    let directory = context.directory.path().to_owned();
    let script = build_script("std::time::SystemTime::now()");
    fs::write(directory.join("build.rs"), script).unwrap();
    let mut command = dev(&context, &uses_generated("418 I'm a teapot"));
    command.stderr(Stdio::piped());
    let mut dev = Running::start(command);
    let mut errors = dev.errors();
    let expected = "warning: not building again: each build changes src/generated.rs; to build, save a file or press r";
    assert!(errors.any(|line| line == expected));
    let rest = std::thread::spawn(move || {
        errors
            .filter(|line| line.starts_with("warning: not building"))
            .count()
    });
    // The first build that the warning does not concern.
    save(&directory.join("src/main.rs"), uses_generated("203 Other"));
    dev.line_that("contains the status", |line| line.contains(" 203 in "));
    assert_saves_cause_one_build_each(&mut dev, &directory.join("src/main.rs"));
    dev.signal(Signal::SIGTERM);
    dev.wait_for_exit();
    assert_eq!(rest.join().unwrap(), 0);
}

/// A build script that reads a file, and then waits while the file `hold` exists.
const SLOW_BUILD_SCRIPT: &str = r#"
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=status.txt");
    let status = std::fs::read_to_string("status.txt").unwrap();
    println!("cargo::rustc-env=STATUS={}", status.trim());
    if std::path::Path::new("hold").exists() {
        std::fs::write("held", "").unwrap();
    }
    while std::path::Path::new("hold").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
"#;

#[test]
fn inputs_of_a_build_script_that_are_saved_while_it_runs_are_not_lost() {
    let context = TestContext::new();
    let directory = context.directory.path().to_owned();
    let source = foreign()
        .replace(
            "b\"HTTP/1.1 418 I'm a teapot",
            "concat!(\"HTTP/1.1 \", env!(\"STATUS\"), \"",
        )
        .replace("short\")?", "short\").as_bytes())?");
    let [script, status] = ["build.rs", "status.txt"].map(|name| directory.join(name));
    fs::write(&script, SLOW_BUILD_SCRIPT).unwrap();
    fs::write(&status, "200 OK").unwrap();
    let mut dev = Running::start(dev(&context, &source));
    dev.line_that("contains status 200", |line| line.contains(" 200 in "));

    let hold = || fs::write(directory.join("hold"), "").unwrap();
    let held = |dev: &mut Running| {
        while !directory.join("held").exists() {
            dev.line("invoked #");
        }
        fs::remove_file(directory.join("held")).unwrap();
    };
    // The script has read the file when it is saved for the second time.
    hold();
    save(&status, "201 Made");
    dev.line("changed status.txt");
    held(&mut dev);
    save(&status, "202 Accepted");
    fs::remove_file(directory.join("hold")).unwrap();
    dev.line("changed status.txt");
    dev.line_that("contains status 202", |line| line.contains(" 202 in "));

    // The script itself is saved while it runs.
    hold();
    save(&status, "203 Other");
    dev.line("changed status.txt");
    held(&mut dev);
    save(
        &script,
        SLOW_BUILD_SCRIPT.replace("STATUS={}", "STATUS=206 {}"),
    );
    fs::remove_file(directory.join("hold")).unwrap();
    dev.line("changed build.rs");
    dev.line_that("contains status 206", |line| line.contains(" 206 in "));
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
