//! Tests of `cargo fg package`.
#![allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use zip::ZipArchive;

/// The variables for a release build that takes less time.
const QUICK: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

fn package(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
    command.args(["fg", "package"]).args(arguments).envs(QUICK);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Returns the name, mode and contents of each entry of the ZIP, in order.
fn unzip(zip: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut archive = ZipArchive::new(File::open(zip).unwrap()).unwrap();
    let mut entries = Vec::new();
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        entries.push((
            entry.name().unwrap().to_string(),
            entry.unix_mode().unwrap(),
            bytes,
        ));
    }
    entries
}

/// Returns whether the program needs a loader, and so is not statically linked.
fn is_dynamic(program: &[u8]) -> bool {
    let number = |at: usize, len: usize| {
        let bytes = program[at..at + len].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    assert_eq!(&program[..5], b"\x7fELF\x02");
    let (headers, size, count) = (number(0x20, 8), number(0x36, 2), number(0x38, 2));
    (0..count).any(|i| number(headers + i * size, 4) == 3)
}

#[test]
fn hello_is_packaged_and_booted() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    write(&directory.join("data/tool"), "#!/bin/sh\n", 0o700);
    write(&directory.join("data/more/a.txt"), "a", 0o600);
    write(&directory.join("settings.toml"), "", 0o664);
    write(
        &directory.join("prod.env"),
        "# production\n\nFG_LOG = info\nDB_PASSWORD=hunter2\n",
        0o600,
    );
    let (zip, again) = (directory.join("out/hello.zip"), directory.join("again.zip"));
    let run = |zip: &Path, more: &[&str]| {
        let path = |path: &str| directory.join(path).to_str().unwrap().to_owned();
        package(&[
            "-p",
            "hello",
            "--include",
            &path("data"),
            "--include",
            &path("settings.toml"),
            "--env-file",
            &path("prod.env"),
            "--out",
        ])
        .arg(zip)
        .args(more)
        .output()
        .unwrap()
    };
    let output = run(&zip, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    let lines: Vec<_> = stdout.lines().collect();
    let packaged = format!("    Packaged {} for ", zip.display());
    assert!(
        lines[0].starts_with(&packaged)
            && lines[0].ends_with(" MB (limit of a direct upload: 10 MB)"),
        "{stdout}"
    );
    assert!(
        stdout.contains("\n      Booted extensionHello.sh from the ZIP: registered in "),
        "{stdout}"
    );
    assert!(
        stdout.contains("      stdout ")
            && stdout.contains(" invoked sn:cn:yrk:1111:function:0@test@hello:latest\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("\n      Upload it in the console: "),
        "{stdout}"
    );

    // The extension reads the file.
    assert!(
        stdout.contains("      stderr INFO extensionHello.sh: registered with "),
        "{stdout}"
    );
    let warning = format!(
        "\n     Warning {} puts DB_PASSWORD into the ZIP, where everybody who can download it can read it",
        directory.join("prod.env").display()
    );
    assert!(
        stdout.contains(&warning) && !stdout.contains("hunter2"),
        "{stdout}"
    );

    let entries = unzip(&zip);
    assert_eq!(text(&entries[7].2), "FG_LOG=info\nDB_PASSWORD=hunter2\n");
    let listed: Vec<_> = entries
        .iter()
        .map(|(name, mode, _)| (name.as_str(), *mode))
        .collect();
    assert_eq!(
        listed,
        [
            ("extension/", 0o40755),
            ("extension/data/", 0o40755),
            ("extension/data/more/", 0o40755),
            ("extension/data/more/a.txt", 0o100_644),
            ("extension/data/tool", 0o100_755),
            ("extension/extensionHello.sh", 0o100_755),
            ("extension/hello", 0o100_755),
            ("extension/hello.env", 0o100_644),
            ("extension/settings.toml", 0o100_644),
        ]
    );
    let script = text(&entries[5].2);
    assert!(
        script.starts_with("#!/bin/sh\n") && script.ends_with("\n"),
        "{script}"
    );
    assert!(
        !script.contains('\r') && script.contains("\nprogram='hello'\n"),
        "{script}"
    );
    assert!(!is_dynamic(&entries[6].2));

    let mut check = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
    check.args(["fg", "check", "PKG", "--zip"]).arg(&zip);
    let output = check.output().unwrap();
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}");
    assert!(
        stdout.contains("\n15 passed, 0 failed, 0 warnings, 0 skipped, in "),
        "{stdout}"
    );

    // The ZIP does not depend on the time of the build or of the files.
    let included = File::options()
        .write(true)
        .open(directory.join("settings.toml"))
        .unwrap();
    included.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let output = run(&again, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(fs::read(&zip).unwrap() == fs::read(&again).unwrap());

    let output = run(directory, &["--env", "FG_SHUTDOWN_TIMEOUT=soon"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stdout.contains(
            "      stderr ERROR extensionHello.sh: cannot read FG_SHUTDOWN_TIMEOUT from the environment: `soon`"
        ),
        "{stdout}"
    );
    assert!(
        stderr.ends_with("extensionHello.sh exited with status 1 before it registered\n"),
        "{stderr}"
    );
    assert!(fs::read(&zip).unwrap() == fs::read(directory.join("hello.zip")).unwrap());
    // No temporary file is left.
    assert_eq!(fs::read_dir(directory).unwrap().count(), 6);
}

#[test]
fn invalid_includes_are_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for file in ["extensionX.sh", "a~", "b/c/d~", "e/f", "f/e", "loop/f"] {
        write(&directory.join(file), "", 0o644);
    }
    std::os::unix::fs::symlink(".", directory.join("loop/loop")).unwrap();
    for (included, expected) in [
        (
            &["extensionX.sh"][..],
            "extensionX.sh: the platform would run it as a second start script\n",
        ),
        (
            &["a~"],
            "a~: FunctionGraph rejects file names that end with `~`: a~\n",
        ),
        (
            &["b"],
            "b: FunctionGraph rejects file names that end with `~`: b/c/d~\n",
        ),
        (&["e/f", "f"], "f: f is already in the ZIP\n"),
        (&["loop"], "loop/loop is neither a file nor a directory\n"),
        (
            &["missing"],
            "missing: No such file or directory (os error 2)\n",
        ),
    ] {
        let mut command = package(&["-p", "hello"]);
        for file in included {
            command.arg("--include").arg(directory.join(file));
        }
        let output = command.output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.starts_with("error: cannot include ") && stderr.ends_with(expected),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

/// A directory with a package, and in `bin` fake tools: a cargo that prints its options and variables instead of
/// building, and a rustc and a rustup that determine the installed targets.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(manifest: &str) -> Self {
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
    fn write(&self, path: &str, text: &str) {
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

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Sets the targets that are installed, in addition to that of the machine.
    fn targets(&self, targets: &str) {
        let rustc = format!(
            "#!/bin/sh\ncase $1 in --version) echo rustc 1.93.0; exit;; esac\n\
             case $2 in host-tuple) echo x86_64-unknown-linux-gnu; exit;; esac\n\
             for target in {targets}; do [ $target != $4 ] || {{ echo /; exit; }}; done\necho /no/such/directory\n"
        );
        self.write("bin/rustc", &rustc);
    }

    fn package(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
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
    fn build_lines(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = self.package(arguments, environment);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr.contains("the build failed\n"), "{stderr}");
        text(&output.stdout) + &stderr
    }
}

#[track_caller]
fn assert_lines(lines: &str, expected: &[&str], unexpected: &[&str]) {
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

const MUSL: &str = "x86_64-unknown-linux-musl";

#[test]
fn musl_is_linked_with_the_available_linker() {
    let machine = Machine::new("");
    machine.targets(MUSL);
    let lines = machine.build_lines(&[], &[]);
    let target = "--target=x86_64-unknown-linux-musl";
    let cc = "CC_x86_64_unknown_linux_musl=cc";
    let cflags = "CFLAGS_x86_64_unknown_linux_musl=-U_FORTIFY_SOURCE";
    let strip = "CARGO_PROFILE_RELEASE_STRIP=symbols";
    let lto = "CARGO_PROFILE_RELEASE_LTO=fat";
    let units = "CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1";
    let flags = r#"target.x86_64-unknown-linux-musl.rustflags=["-Clink-arg=-Wl,-z,pack-relative-relocs", "-Cllvm-args=-inline-threshold=75"]"#;
    let glibc = ["RUSTFLAGS", "        Note"];
    assert_lines(
        &lines,
        &[
            "--release",
            target,
            cc,
            cflags,
            strip,
            lto,
            units,
            "--config",
            flags,
        ],
        &glibc,
    );

    // The user's choices are not overridden.
    let lines = machine.build_lines(&[], &[("RUSTFLAGS", "-Copt-level=1")]);
    let added = "RUSTFLAGS=-Copt-level=1 -Clink-arg=-Wl,-z,pack-relative-relocs -Cllvm-args=-inline-threshold=75";
    assert_lines(&lines, &[added], &["--config"]);
    for key in ["build", "target.x86_64-unknown-linux-musl"] {
        let config = format!("[{key}]\nrustflags = \"-Copt-level=1\"\n");
        machine.write(".cargo/config.toml", &config);
        assert_lines(&machine.build_lines(&[], &[]), &[target], &["--config"]);
    }
    let linker = "[target.x86_64-unknown-linux-musl]\nlinker = \"ld\"\n";
    machine.write(".cargo/config.toml", linker);
    let flags =
        r#"target.x86_64-unknown-linux-musl.rustflags=["-Cllvm-args=-inline-threshold=75"]"#;
    assert_lines(&machine.build_lines(&[], &[]), &[flags], &[]);
    fs::remove_file(machine.path(".cargo/config.toml")).unwrap();
    let lines = machine.build_lines(&[], &[("CC", "clang")]);
    assert_lines(&lines, &[target, strip], &["CC_", "CFLAGS_"]);
    let lines = machine.build_lines(&[], &[("CARGO_PROFILE_RELEASE_STRIP", "none")]);
    assert_lines(&lines, &["CARGO_PROFILE_RELEASE_STRIP=none"], &[strip]);
    machine.write("bin/musl-gcc", "#!/bin/sh\n");
    assert_lines(
        &machine.build_lines(&[], &[]),
        &[target],
        &["CC_", "CFLAGS_"],
    );

    let machine = Machine::new("[profile.release]\nstrip = false\ncodegen-units = 2\n");
    machine.targets(MUSL);
    let lines = machine.build_lines(&[], &[]);
    let unexpected = [
        "CARGO_PROFILE_RELEASE_STRIP",
        "CARGO_PROFILE_RELEASE_CODEGEN_UNITS",
    ];
    assert_lines(&lines, &[target, lto], &unexpected);
}

#[test]
fn options_of_cargo_are_passed_on() {
    let machine = Machine::new("[features]\na = []\n");
    machine.targets(MUSL);
    let arguments = [
        "-F",
        "a",
        "--target-dir",
        "built",
        "--manifest-path",
        "Cargo.toml",
    ];
    let expected = [
        "--features=a",
        "--target-dir=built",
        "--manifest-path=Cargo.toml",
        "--release",
        "CARGO_PROFILE_RELEASE_LTO=fat",
    ];
    let lines = machine.build_lines(&arguments, &[]);
    assert_lines(&lines, &expected, &["--profile"]);
    assert_lines(
        &machine.build_lines(&["--release"], &[]),
        &["--release"],
        &[],
    );
    // A profile that the user names is used as it is.
    let lines = machine.build_lines(&["--profile", "small"], &[]);
    assert_lines(
        &lines,
        &["--profile=small"],
        &["--release", "CARGO_PROFILE_"],
    );
}

#[test]
fn glibc_is_linked_statically_without_musl() {
    let machine = Machine::new("");
    let lines = machine.build_lines(&[], &[]);
    let note = "        Note the target x86_64-unknown-linux-musl is not installed, and `rustup target add x86_64-unknown-linux-musl` \
                failed; linking glibc statically instead";
    let target = "--target=x86_64-unknown-linux-gnu";
    let flags = r#"target.x86_64-unknown-linux-gnu.rustflags=["-Ctarget-feature=+crt-static", "-Cllvm-args=-inline-threshold=75"]"#;
    assert_lines(
        &lines,
        &[note, target, "--config", flags],
        &["RUSTFLAGS", "CC_"],
    );

    let lines = machine.build_lines(&[], &[("RUSTFLAGS", "-Copt-level=1")]);
    let rustflags =
        "RUSTFLAGS=-Copt-level=1 -Ctarget-feature=+crt-static -Cllvm-args=-inline-threshold=75";
    assert_lines(&lines, &[note, target, rustflags], &["--config"]);
}

#[test]
fn programs_for_other_processors_are_linked_with_lld() {
    let arm = "aarch64-unknown-linux-musl";
    let machine = Machine::new("");
    machine.targets(arm);
    let lines = machine.build_lines(&["--target", arm], &[]);
    let lld = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld";
    let flags = r#"target.aarch64-unknown-linux-musl.rustflags=["-Clink-arg=-zpack-relative-relocs", "-Cllvm-args=-inline-threshold=75"]"#;
    let failed = "error: cannot build for aarch64-unknown-linux-musl (if a dependency compiles C code, set \
                  CC_aarch64_unknown_linux_musl to a cross compiler): the build failed";
    assert_lines(
        &lines,
        &["--target=aarch64-unknown-linux-musl", lld, flags, failed],
        &["CC_"],
    );

    let theirs = ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "gcc");
    assert_lines(
        &machine.build_lines(&["--target", arm], &[theirs]),
        &[],
        &[lld],
    );
    let config = format!("[target.{arm}]\nlinker = \"gcc\"\n");
    for file in [".cargo/config.toml", "home/config.toml"] {
        machine.write(file, &config);
        let lines = machine.build_lines(&["--target", arm], &[]);
        assert_lines(&lines, &["--release"], &["CARGO_TARGET_AARCH64"]);
        fs::remove_file(machine.path(file)).unwrap();
    }
}

#[test]
fn unavailable_targets_are_rejected() {
    let machine = Machine::new("");
    for (target, expected) in [
        (
            "aarch64-unknown-linux-musl",
            "error: the target aarch64-unknown-linux-musl is not installed, and `rustup target add aarch64-unknown-linux-musl` failed\n",
        ),
        (
            "x86_64-pc-windows-gnu",
            "error: cannot package for x86_64-pc-windows-gnu: FunctionGraph runs Linux; use --target x86_64-unknown-linux-musl\n",
        ),
    ] {
        let output = machine.package(&["--target", target], &[]);
        assert_eq!(text(&output.stderr), expected);
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn invalid_settings_files_are_rejected_before_the_build() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.env");
    let shown = file.display();
    for (settings, expected) in [
        (
            "export A=hunter2\nB=\"hunter2\"\n",
            format!(
                "cannot read {shown}: line 1: `export A` is not a name (remove `export`); line 2: the value of B is in \
                 quotes, which would be a part of it (remove them)"
            ),
        ),
        (
            "RUNTIME_USERDATA={}",
            format!(
                "cannot package {shown}: it contains RUNTIME_USERDATA, which the platform sets; remove the line"
            ),
        ),
    ] {
        write(&file, settings, 0o600);
        let output = package(&["-p", "hello", "--env-file"])
            .arg(&file)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stderr), format!("error: {expected}\n"));
    }
}
