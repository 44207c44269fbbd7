//! Tests of `cargo fg new`.
#![allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod existing_directory;
mod github;
mod ports;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::{repository_root, target_directory};

const EXAMPLES: [&str; 6] = [
    "hello",
    "audit-log",
    "own-main",
    "telemetry-archive",
    "otlp-forwarder",
    "secrets-cache",
];

fn new(directory: &Path, arguments: &[&str]) -> Output {
    let program = INSTALLED.get_or_init(|| install("installed", &repository_root()));
    new_by(program, directory, arguments)
}

fn new_by(program: &Path, directory: &Path, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(["fg", "new"])
        .args(arguments)
        .current_dir(directory)
        .env_remove("CARGO_MANIFEST_DIR")
        .output()
        .unwrap()
}

/// The program as installed by `cargo install --path`.
static INSTALLED: OnceLock<PathBuf> = OnceLock::new();

/// Puts the program where `cargo install --path --root` would.
pub(crate) fn install(root: &str, checkout: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(root);
    let program = root.join("bin/cargo-fg");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    let _ = fs::remove_file(&program);
    fs::hard_link(env!("CARGO_BIN_EXE_cargo-fg"), &program).unwrap();
    let package = format!(
        "cargo-fg 0.1.0 (path+file://{}/cargo-fg)",
        checkout.display()
    );
    let record = serde_json::json!({"installs": {package: {}}}).to_string();
    fs::write(root.join(".crates2.json"), record).unwrap();
    program
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns all files in the directory and its subdirectories, except those of git.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with(".git") {
                files.extend(self::files(&path));
            }
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn templates_are_copies_of_the_examples() {
    let (examples, templates) = (
        repository_root().join("examples"),
        repository_root().join("cargo-fg/templates"),
    );
    let mut names: Vec<_> = fs::read_dir(&examples)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // The probe is a tool, and nothing to begin a package with.
    names.retain(|name| name != "platform-probe");
    names.sort();
    let mut expected = EXAMPLES;
    expected.sort_unstable();
    assert_eq!(
        names, expected,
        "each example has a template, listed in src/new/templates.rs"
    );

    for name in names {
        // The templates have no Cargo.toml, since `cargo publish` leaves out directories that have one.
        for (from, to) in [
            ("Cargo.toml", "Cargo.toml.template"),
            ("src/main.rs", "src/main.rs"),
        ] {
            let (from, to) = (
                examples.join(&name).join(from),
                templates.join(&name).join(to),
            );
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(&from, &to).unwrap();
            }
            assert!(
                fs::read(&from).ok() == fs::read(&to).ok(),
                "{} is not a copy of {}: run `cargo xtask bless`, or `UPDATE_EXPECT=1 cargo test -p cargo-fg templates_are`",
                to.display(),
                from.display()
            );
        }
    }
}

#[test]
fn packages_from_examples_pass_their_tests() {
    packages_pass_their_tests("new", &["hello", "audit-log", "telemetry-archive"]);
}

/// Takes a minute, most of which is the TLS library.
#[test]
#[ignore = ".ci/full runs it"]
fn packages_from_all_examples_pass_their_tests() {
    packages_pass_their_tests("new-all", &EXAMPLES);
}

/// Creates a package from each of the examples in a new workspace, and runs their tests.
fn packages_pass_their_tests(workspace: &str, examples: &[&str]) {
    // Use the same path in every run and the workspace's target directory, so that little has to be rebuilt.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(workspace);
    if directory.exists() {
        fs::remove_dir_all(&directory).unwrap();
    }
    fs::create_dir_all(&directory).unwrap();
    fs::write(
        directory.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = []\n",
    )
    .unwrap();
    fs::copy(
        repository_root().join("Cargo.lock"),
        directory.join("Cargo.lock"),
    )
    .unwrap();
    for example in examples {
        let name = format!("my-{example}");
        let printed = stdout(&new(&directory, &[&name, "--example", example]));
        let added = format!(
            "\n       Added it to the workspace {}\n",
            directory.display()
        );
        assert!(printed.contains(&added), "{printed}");

        let formatted = Command::new("rustfmt")
            .args(["--edition", "2024", "--check"])
            .args([
                directory.join(&name).join("src/main.rs"),
                directory.join(&name).join("tests/boots.rs"),
            ])
            .status();
        assert!(formatted.unwrap().success(), "{name}");
    }

    let output = Command::new(env!("CARGO"))
        .args(["test", "--workspace", "--offline", "--test", "boots"])
        .current_dir(&directory)
        .env("CARGO_TARGET_DIR", target_directory())
        // The same profile as in the workspace, or all dependencies would be rebuilt.
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let passed = stdout(&output);
    assert_eq!(
        passed.matches("test boots_and_is_invoked ... ok\n").count(),
        examples.len(),
        "{passed}\n{stderr}"
    );
    assert!(!stderr.contains("warning: "), "{stderr}");
}

#[test]
fn package_outside_a_workspace_is_self_contained() {
    let directory = tempfile::tempdir().unwrap();
    let printed = stdout(&new(
        directory.path(),
        &["a sub/night_watch", "--port", "8090"],
    ));
    let checkout = repository_root();
    let checkout = checkout.display();
    assert_eq!(
        printed,
        format!(
            "     Created `night_watch` from the example `hello`: extensionNightWatch.sh, port 8090
     Depends on the clone {checkout}, so it builds on this machine only; to share it, create it with --git URL
        Next cd 'a sub/night_watch'
             cargo fg dev
             cargo test
"
        )
    );
    // The alias `cargo fg` exists in the clone only, so the command for the next steps includes an installation.
    let mut by_alias = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
    by_alias.args(["new", "other"]).current_dir(&directory);
    let printed = stdout(
        &by_alias
            .env("CARGO_MANIFEST_DIR", format!("{checkout}/cargo-fg"))
            .output()
            .unwrap(),
    );
    let next = format!("Next cd other\n             cargo install --path {checkout}/cargo-fg\n");
    assert!(printed.contains(&next), "{printed}");

    let created = directory.path().join("a sub/night_watch");
    assert_eq!(
        files(&created),
        [".gitignore", "Cargo.toml", "src/main.rs", "tests/boots.rs"]
            .map(|file| created.join(file))
    );
    let hello = read(format!("{checkout}/examples/hello/src/main.rs"));
    let hello = hello
        .replace("extensionHello.sh", "extensionNightWatch.sh")
        .replace("8081", "8090");
    assert_eq!(read(created.join("src/main.rs")), hello);
    assert_eq!(
        read(created.join("Cargo.toml")),
        format!(
            r#"[package]
name = "night_watch"
version = "0.1.0"
edition = "2024"
publish = false

[dependencies]
fg-extension = {{ path = "{checkout}/fg-extension", features = ["dlmalloc"] }}
tokio = {{ version = "1.54", features = ["io-util", "net", "rt", "sync", "time"] }}

[dev-dependencies]
fg-emulator = {{ path = "{checkout}/fg-emulator" }}
serde_json = {{ version = "1.0.154" }}
tokio = {{ version = "1.54", features = ["macros", "rt"] }}
"#
        )
    );
}

#[test]
fn package_depends_on_the_given_source() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let moved = install("moved", Path::new("/no/such"));
    for (arguments, message) in [
        (
            &["a"][..],
            "error: cannot find the clone that cargo-fg was installed from: /no/such/cargo-fg is not in a clone of the \
             fg-extension repository, at least not now; choose a repository with --git URL, or a clone with --path DIR, for \
             the package to depend on\n",
        ),
        (
            &["a", "--path", "."],
            "error: . is not a clone of the fg-extension repository: it has no fg-extension/Cargo.toml\n",
        ),
        (
            &["a", "--git", "some/where"],
            "error: cannot create a: cargo rejects it in its workspace: failed to parse manifest at ",
        ),
    ] {
        let output = new_by(&moved, directory, arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with(message), "{stderr}");
        assert!(!directory.join("a").exists());
    }
    let checkout = repository_root();
    let checkout = checkout.to_str().unwrap();
    let printed = stdout(&new_by(&moved, directory, &["a", "--path", checkout]));
    assert!(
        printed.contains(&format!("Depends on the clone {checkout}, ")),
        "{printed}"
    );

    let url = "https://example.com/fg-extension";
    for (name, arguments, shown, dependency) in [
        ("b", &[][..], "", ""),
        (
            "c",
            &["--rev", "0123abc"],
            ", rev 0123abc",
            ", rev = \"0123abc\"",
        ),
        (
            "d",
            &["--tag", "v0.1.0"],
            ", tag v0.1.0",
            ", tag = \"v0.1.0\"",
        ),
        (
            "e",
            &["--branch", "main"],
            ", branch main",
            ", branch = \"main\"",
        ),
    ] {
        let arguments = [
            &[name, "--example", "otlp-forwarder", "--git", url],
            arguments,
        ]
        .concat();
        let printed = stdout(&new_by(&moved, directory, &arguments));
        let line = format!("\n     Depends on fg-extension in the repository {url}{shown}\n");
        assert!(printed.contains(&line), "{printed}");
        let manifest = read(directory.join(name).join("Cargo.toml"));
        for line in [
            format!("\nfg-emulator = {{ git = \"{url}\"{dependency} }}\n"),
            format!(
                "\nfg-extension = {{ git = \"{url}\"{dependency}, features = [\"dlmalloc\"] }}\n"
            ),
            format!("\nfg-extension-otlp = {{ git = \"{url}\"{dependency} }}\n"),
        ] {
            assert!(manifest.contains(&line), "{manifest}");
        }
    }
}

#[test]
fn rejected_packages_leave_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"here\"]\n";
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    let created = stdout(&new(directory, &["here"]));
    assert!(created.contains("Added it"), "{created}");
    fs::write(directory.join("file"), "").unwrap();
    let before = files(directory);

    let long = "x".repeat(65);
    for (arguments, status, expected) in [
        (
            &["here"][..],
            1,
            "error: cannot create here: it already contains Cargo.toml, src/main.rs, tests/boots.rs; choose another name, or \
             remove what is there\n",
        ),
        (
            &["file"],
            1,
            "error: cannot create file: it exists, and is not a directory; choose another name\n",
        ),
        (
            &["sub/here"],
            1,
            "error: cannot create sub/here: cargo rejects it in its workspace: two packages named `here` in this workspace: ",
        ),
        (
            &["fn"],
            1,
            "error: cannot create fn: invalid package name `fn`: it is a Rust keyword\n",
        ),
        (
            &["sub/deps"],
            1,
            "error: cannot create sub/deps: invalid package name `deps`: it conflicts with cargo's build directory names\n",
        ),
        (
            &["fg_extension"],
            1,
            "error: cannot create `fg_extension`: a dependency has the same name; choose another name\n",
        ),
        (
            &["night watch"],
            1,
            "error: `night watch` is not a valid name for an extension: it must start with an ASCII letter, and contain \
             only ASCII letters, digits, `-` and `_`, such as night-watch\n",
        ),
        (
            &["9lives"],
            1,
            "error: `9lives` is not a valid name for an extension: ",
        ),
        (
            &["n\u{e4}ht"],
            1,
            "error: `n\u{e4}ht` is not a valid name for an extension: ",
        ),
        (&[&long], 1, "` is too long; use at most 64 characters\n"),
        (
            &[".."],
            1,
            "error: cannot create ..: the path does not end in a name; write one such as night-watch\n",
        ),
        (
            &["a", "--port", "8080"],
            2,
            "error: invalid value '8080' for '--port <PORT>': 8080 is not in 8081..=8090\n",
        ),
        (&["a", "--port", "8091"], 2, "8091 is not in 8081..=8090\n"),
        (
            &["a", "--example", "helo"],
            2,
            "tip: a similar value exists: 'hello'\n",
        ),
        (&["a", "--list"], 2, "cannot be used with"),
        (
            &["a", "--git", "x", "--path", "y"],
            2,
            "cannot be used with",
        ),
        (
            &["a", "--git", "x", "--rev", "y", "--branch", "z"],
            2,
            "cannot be used with",
        ),
        (
            &["a", "--git", "x", "--rev", ""],
            2,
            "a value is required for '--rev <SHA>'",
        ),
        (&["a", "--tag", "y"], 2, "not provided:\n  --git <URL>\n"),
        (&[], 2, "required arguments were not provided:\n  <NAME>\n"),
    ] {
        let output = new(directory, arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
        assert!(status == 2 || stderr.lines().count() == 1, "{stderr}");
        assert_eq!(files(directory), before, "{arguments:?}");
        assert!(!directory.join("sub").exists(), "{arguments:?}");
        assert_eq!(read(directory.join("Cargo.toml")), manifest);
    }
}

#[test]
fn examples_are_listed() {
    let printed = stdout(&new(Path::new("."), &["--list"]));
    let names: Vec<_> = printed
        .lines()
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(names, EXAMPLES);
    let hello = "             hello  The smallest extension: prints each invocation\n";
    assert!(printed.starts_with(hello), "{printed}");
}
