//! A machine with fake tools, to test how cargo is called.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::text;

/// A directory with a package, and in `bin` fake tools: a cargo that prints its options and variables instead of
/// building, and a rustc and a rustup that determine the installed targets.
pub(super) struct Machine(tempfile::TempDir);

impl Machine {
    pub(super) fn new(manifest: &str) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.write(
            "Cargo.toml",
            &format!("[package]\nname = \"demo\"\n{manifest}"),
        );
        machine.write("src/main.rs", "fn main() {}");
        machine.write(
            "bin/cargo",
            "#!/bin/sh\n[ \"$1\" = build ] || exec \"$REAL_CARGO\" \"$@\"\nprintf '%s\\n' \"$@\" >&2\n/usr/bin/env >&2\nexit 1\n",
        );
        machine.write("bin/rustup", "#!/bin/sh\nexit 1\n");
        machine.targets("");
        machine
    }

    /// Writes an executable file in a child process. If this process wrote it, executing it could fail (ETXTBSY), since
    /// a process that another test is starting may still have the file open.
    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            r#"printf %s "$1" > "$2" && chmod 755 "$2""#,
            "sh",
            text,
        ]);
        assert!(command.arg(path).status().unwrap().success());
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Sets the targets that are installed, in addition to that of the machine.
    pub(super) fn targets(&self, targets: &str) {
        let rustc = format!(
            "#!/bin/sh\ncase $1 in --version) echo rustc 1.93.0; exit;; esac\n\
             case $2 in host-tuple) echo x86_64-unknown-linux-gnu; exit;; cfg) echo unix; exit;; esac\n\
             for target in {targets}; do [ $target != $4 ] || {{ echo /; exit; }}; done\necho /no/such/directory\n"
        );
        self.write("bin/rustc", &rustc);
    }

    pub(super) fn package(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
        command
            .args(["fg", "package"])
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("CARGO", self.path("bin/cargo"))
            .env("CARGO_HOME", self.path("home"))
            .env("RUSTC", self.path("bin/rustc"))
            .env("REAL_CARGO", env!("CARGO"))
            .envs(environment.iter().copied());
        command.output().unwrap()
    }

    /// Returns the options and variables that cargo gets, one per line.
    pub(super) fn build_lines(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = self.package(arguments, environment);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr.contains("the build failed\n"), "{stderr}");
        text(&output.stdout) + &stderr
    }
}

#[track_caller]
pub(super) fn assert_lines(lines: &str, expected: &[&str], unexpected: &[&str]) {
    for line in expected {
        assert!(lines.lines().any(|it| it == *line), "{line} in\n{lines}");
    }
    for prefix in unexpected {
        assert!(
            !lines.lines().any(|it| it.starts_with(prefix)),
            "{prefix} in\n{lines}"
        );
    }
}

pub(super) const MUSL: &str = "x86_64-unknown-linux-musl";
