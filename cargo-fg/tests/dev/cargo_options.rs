//! Tests of the options for cargo, of the choice of programs, and of the default options in Cargo.toml.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::running::{lines, stderr};

/// A program that prints its arguments, its profile and its features, and exits before it registers.
const MAIN: &str = r#"
fn main() {
    std::hint::black_box("\x1ffg-extension:name=SCRIPT\x1f");
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let feature = if cfg!(feature = "half") { "half" } else { "none" };
    let line = format!("{} {arguments:?} {profile} {feature}", env!("CARGO_BIN_NAME"));
    println!("{line}");
    eprintln!("{line}");
    std::process::exit(1);
}
"#;

/// A workspace of the packages `a` and `b`, with the binaries `same` and `special` in both, and `one` in `a`.
struct TwoPackages(TempDir);

impl TwoPackages {
    fn new() -> Self {
        let workspace = Self(tempfile::tempdir().unwrap());
        workspace.write(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"a\", \"b\"]\n",
        );
        for package in ["a", "b"] {
            workspace.write_manifest(package, "");
            for (binary, script) in [("same", "Same"), ("special", "Special")] {
                let main = MAIN.replace("SCRIPT", &format!("extension{package}{script}.sh"));
                workspace.write(&format!("{package}/src/bin/{binary}.rs"), &main);
            }
        }
        workspace.write(
            "a/src/bin/one.rs",
            &MAIN.replace("SCRIPT", "extensionOne.sh"),
        );
        workspace
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn write_manifest(&self, package: &str, more: &str) {
        let text = format!(
            "[package]\nname = \"{package}\"\nedition = \"2024\"\n{more}\n[features]\nfull = [\"half\"]\nhalf = []\n\
             [[bin]]\nname = \"special\"\nrequired-features = [\"half\"]\n"
        );
        self.write(&format!("{package}/Cargo.toml"), &text);
    }

    fn run(&self, subcommand: &str, directory: &Path, arguments: &[&str]) -> Output {
        let mut command = self.command(subcommand, directory, arguments);
        command.output().unwrap()
    }

    fn command(&self, subcommand: &str, directory: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
        command
            .args(["fg", subcommand])
            .args(arguments)
            .current_dir(directory)
            .env("XDG_RUNTIME_DIR", self.0.path())
            .env_remove("CARGO_TARGET_DIR");
        command
    }

    /// Runs `dev` in the workspace, and returns what the extensions print.
    fn printed(&self, arguments: &[&str]) -> Vec<String> {
        let arguments = [&["--invocations", "1"], arguments].concat();
        printed(&self.run("dev", self.0.path(), &arguments))
    }
}

fn printed(output: &Output) -> Vec<String> {
    let lines = lines(output);
    let printed = lines.iter().filter_map(|line| line.strip_prefix("stdout "));
    let printed: Vec<_> = printed.map(str::to_owned).collect();
    assert!(!printed.is_empty(), "{output:?}");
    printed
}

#[test]
fn options_are_passed_to_cargo() {
    let workspace = TwoPackages::new();
    assert_eq!(workspace.printed(&["-p", "b"]), ["same [] dev none"]);
    assert_eq!(
        workspace.printed(&["-p", "b", "--release", "--", "--x", "y z"]),
        [r#"same ["--x", "y z"] release none"#]
    );
    for features in [
        &["--features", "full"][..],
        &["-F", "b/half"],
        &["--all-features"],
    ] {
        let select = ["-p", "b", "--bin", "special"];
        assert_eq!(
            workspace.printed(&[&select, features].concat()),
            ["special [] dev half"]
        );
    }

    // From another directory, into another directory.
    let elsewhere = tempfile::tempdir().unwrap();
    let manifest = workspace.path("a/Cargo.toml");
    let arguments = [
        "--manifest-path",
        manifest.to_str().unwrap(),
        "--target-dir",
        "built",
        "--bin",
        "one",
        "--profile",
        "release",
        "--no-default-features",
        "--invocations",
        "1",
    ];
    let output = workspace.run("dev", elsewhere.path(), &arguments);
    assert_eq!(printed(&output), ["one [] release none"]);
    assert!(elsewhere.path().join("built/release/one").exists());

    let arguments = [
        "-p",
        "b",
        "--release",
        "REG-01",
        "--format",
        "json",
        "--",
        "x",
    ];
    let output = workspace.run("check", workspace.0.path(), &arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(r#""same [\"x\"] release none""#), "{text}");
}

#[test]
fn mistakes_are_found_before_the_build() {
    let workspace = TwoPackages::new();
    let several = "package `a` has several binaries: one, same; choose one with --bin, or with `default-run` in its Cargo.toml";
    for (arguments, status, message) in [
        (
            &["dev"][..],
            1,
            "the workspace has several packages with a binary: a, b; choose one with -p",
        ),
        (&["dev", "-p", "a"], 1, several),
        (&["check", "-p", "a"], 2, several),
        (&["package", "-p", "a"], 1, several),
        (&["dev", "-p", "b", "--also", "a"], 1, several),
        (
            &["dev", "-p", "c"],
            1,
            "has no package `c`; its packages with a binary are a, b",
        ),
        (
            &["dev", "-p", "b", "--also", "c"],
            1,
            "has no package `c`; ",
        ),
        (
            &["package", "-p", "b", "--bin", "c"],
            1,
            "package `b` has no binary `c`; it has same, special",
        ),
        (
            &["dev", "-p", "b", "--example", "c"],
            1,
            "package `b` has no example `c`\n",
        ),
        (
            &["check", "-p", "b", "--bin", "special"],
            2,
            "the binary `special` of package `b` requires features that are not enabled; add --features half\n",
        ),
        (
            &["dev", "-p", "a", "--bin", "same", "--also", "b"],
            1,
            "the packages `a` and `b` both have a binary `same`, and cargo writes both to the same file",
        ),
        (
            &["dev", "-p", "b", "--also", "b"],
            1,
            "`same` of package `b` is selected twice",
        ),
        (
            &[
                "dev",
                "-p",
                "b",
                "--also",
                "extensionX.sh=sh",
                "--also",
                "extensionX.sh=cat",
            ],
            1,
            "two extensions have the script name extensionX.sh",
        ),
        (
            &[
                "dev",
                "-p",
                "b",
                "--also",
                "extensionX.sh=no-such-program 1",
            ],
            1,
            "cannot find no-such-program\n",
        ),
        (
            &["dev", "-p", "b", "--also", "x=sh"],
            2,
            "script name `x` does not start with `extension`",
        ),
        (
            &["dev", "-p", "b", "--also", "extensionX.sh"],
            2,
            "to boot a command, write extensionX.sh=COMMAND",
        ),
        (
            &["dev", "-p", "b", "--also", "extensionX.sh="],
            2,
            "the command for extensionX.sh is empty",
        ),
        (&["dev", "-p", "b", "--fault", "x"], 2, "unknown fault `x`"),
        (
            &["dev", "-p", "b", "--function", "x"],
            1,
            "cannot run the function x: ",
        ),
        (
            &["dev", "--zip", "x.zip", "--also", "b"],
            1,
            "cannot read x.zip: No such file",
        ),
        (
            &["dev", "--script", "extensionX.sh"],
            2,
            "<--cmd <COMMAND>|--zip <FILE>|--attach>",
        ),
        (
            &["dev", "--attach", "--script", "x", "--also", "b"],
            1,
            "script name `x` does not start",
        ),
        (
            &["dev", "--zip", "x.zip", "--", "x"],
            2,
            "cannot be used with",
        ),
        (
            &["package", "-p", "b", "--", "x"],
            2,
            "FunctionGraph starts an extension without arguments",
        ),
        (
            &["dev", "--manifest-path", "x"],
            1,
            "cannot determine the package to build: manifest path `x` does not exist",
        ),
    ] {
        let output = workspace.run(arguments[0], workspace.0.path(), &arguments[1..]);
        let stderr = stderr(&output);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {stderr}"
        );
        assert!(
            stderr.starts_with("error: ") && stderr.contains(message),
            "{arguments:?}: {stderr}"
        );
        assert!(!workspace.path("target").exists(), "{arguments:?}");
    }
}

#[test]
fn several_packages_are_built_at_once() {
    let workspace = TwoPackages::new();
    let builds = |arguments: &[&str]| {
        let arguments = [arguments, &["--invocations", "1"]].concat();
        let output = workspace.run("dev", workspace.0.path(), &arguments);
        (
            stderr(&output).matches("Finished ").count(),
            printed(&output),
        )
    };
    // Each extension exits, so only the first one boots.
    let special = ["-p", "a", "--bin", "special", "-F", "half", "--also", "b"];
    workspace.write_manifest("b", "default-run = \"two\"");
    workspace.write(
        "b/src/bin/two.rs",
        &MAIN.replace("SCRIPT", "extensionTwo.sh"),
    );
    // cargo would also build the binary `special` of `b`, in the place of the other.
    assert_eq!(
        builds(&special),
        (
            2,
            vec!["extensionaSpecial.sh: special [] dev half".to_owned()]
        )
    );
    assert_eq!(
        builds(&["-p", "a", "--bin", "one", "--also", "b"]),
        (1, vec!["extensionOne.sh: one [] dev none".to_owned()])
    );
}

#[test]
fn package_has_the_name_of_a_dependency() {
    let workspace = TwoPackages::new();
    workspace.write(
        "with space/Cargo.toml",
        "[workspace]\nmembers = [\"a\"]\nexclude = [\"other\"]\nresolver = \"3\"\n",
    );
    let package = "[package]\nname = \"a\"\nedition = \"2024\"\n";
    let dependency = "[dependencies]\nother = { package = \"a\", path = \"../other\" }\n";
    let manifest = format!("{package}version = \"0.1.0\"\n{dependency}");
    workspace.write("with space/a/Cargo.toml", &manifest);
    let main = MAIN.replace("SCRIPT", "extensionA.sh");
    workspace.write("with space/a/src/main.rs", &main);
    let manifest = format!("{package}version = \"0.2.0\"\n");
    workspace.write("with space/other/Cargo.toml", &manifest);
    workspace.write("with space/other/src/lib.rs", "");

    for directory in ["with space", "with space/a"] {
        let output = workspace.run("dev", &workspace.path(directory), &["--invocations", "1"]);
        assert_eq!(printed(&output), ["a [] dev none"]);
    }
    // Messages of cargo name the package by its name.
    let arguments = ["--invocations", "1", "--features", "missing"];
    let output = workspace.run("dev", &workspace.path("with space"), &arguments);
    let stderr = stderr(&output);
    assert!(
        stderr.contains("the package 'a' does not contain"),
        "{stderr}"
    );
}

#[test]
fn features_are_those_of_the_build_of_this_program_in_the_same_workspace() {
    let workspace = TwoPackages::new();
    let members = "[workspace]\nresolver = \"3\"\nmembers = [\"a\", \"b\", \"cargo-fg\"]\n";
    workspace.write("Cargo.toml", members);
    workspace.write("b/src/lib.rs", "");
    let manifest = "[package]\nname = \"cargo-fg\"\nedition = \"2024\"\n\
                    [dependencies]\nb = { path = \"../b\", features = [\"half\"] }\n";
    workspace.write("cargo-fg/Cargo.toml", manifest);
    workspace.write("cargo-fg/src/main.rs", "fn main() {}");
    let printed_by = |variable: &str, arguments: &[&str]| {
        let directory = workspace.path("cargo-fg").canonicalize().unwrap();
        let mut command = workspace.command("dev", workspace.0.path(), arguments);
        command
            .args(["-p", "b", "--bin", "same", "--invocations", "1"])
            .env(variable, directory);
        printed(&command.output().unwrap())
    };
    assert_eq!(printed_by("OTHER", &[]), ["same [] dev none"]);
    // As `cargo run` sets it.
    assert_eq!(printed_by("CARGO_MANIFEST_DIR", &[]), ["same [] dev half"]);
    // Another profile has nothing in common with that build.
    let release = printed_by("CARGO_MANIFEST_DIR", &["--release"]);
    assert_eq!(release, ["same [] release none"]);
}

#[test]
fn options_in_the_manifest_are_defaults() {
    let workspace = TwoPackages::new();
    let metadata = r#"[package.metadata.fg]
dev = ["--bin", "special", "--features", "half", "--invocations", "1", "--", "default"]
check = ["REG-01"]
"#;
    workspace.write_manifest("a", metadata);
    let run = |arguments: &[&str]| {
        let output = workspace.run("dev", &workspace.path("a"), arguments);
        printed(&output)
    };
    assert_eq!(run(&[]), [r#"special ["default"] dev half"#]);
    let own = ["--bin", "one", "--release", "--", "own"];
    assert_eq!(run(&own), [r#"one ["own"] release half"#]);
    let output = workspace.run("check", &workspace.path("a"), &["--bin", "one"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("\n0 passed, 1 failed, 0 warnings, 0 skipped"),
        "{text}"
    );

    // `--profile` conflicts with `-r`.
    let release = r#"[package.metadata.fg]
dev = ["-r", "--bin", "one", "--invocations", "1", "--", "default"]
"#;
    workspace.write_manifest("a", release);
    assert_eq!(run(&[]), [r#"one ["default"] release none"#]);
    assert_eq!(run(&["--profile", "dev"]), [r#"one ["default"] dev none"#]);
    // `--seed` requires `--fault`.
    let fault = "[package.metadata.fg]\ndev = [\"--bin\", \"one\", \"--invocations\", \"1\", \"--fault\", \"event-duplicate\"]\n";
    workspace.write_manifest("a", fault);
    assert_eq!(run(&["--seed", "7"]), ["one [] dev none"]);

    // Other packages, and commands, have no such options.
    assert_eq!(workspace.printed(&["-p", "b"]), ["same [] dev none"]);

    let place = workspace.path("a/Cargo.toml").canonicalize().unwrap();
    let place = place.display();
    for (table, message) in [
        (
            "run = []",
            "unknown key `run`; the keys are check, deploy, dev, package\n",
        ),
        (
            "dev = [\"--cmd\", \"sh\", \"--script\", \"extensionX.sh\"]",
            "`dev`: --cmd cannot be a default, because it selects what to build or boot",
        ),
    ] {
        workspace.write_manifest("a", &format!("[package.metadata.fg]\n{table}\n"));
        let output = workspace.run("dev", &workspace.path("a"), &[]);
        assert_eq!(output.status.code(), Some(2));
        let stderr = stderr(&output);
        let message = format!("error: invalid [package.metadata.fg] in {place}: {message}");
        assert!(stderr.starts_with(&message), "{stderr}");
    }
}
