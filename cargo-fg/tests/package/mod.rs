//! Tests of `cargo fg package`.
#![allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod build_plan;
mod machine;
mod user_settings;

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
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
    // Links are followed, out of the included directory too, to files and to directories.
    write(&directory.join("shared/b.txt"), "b", 0o644);
    symlink("../../shared/b.txt", directory.join("data/more/b.txt")).unwrap();
    symlink("../shared", directory.join("data/shared")).unwrap();
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
    assert_eq!(text(&entries[4].2), "b");
    assert_eq!(text(&entries[10].2), "FG_LOG=info\nDB_PASSWORD=hunter2\n");
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
            ("extension/data/more/b.txt", 0o100_644),
            ("extension/data/shared/", 0o40755),
            ("extension/data/shared/b.txt", 0o100_644),
            ("extension/data/tool", 0o100_755),
            ("extension/extensionHello.sh", 0o100_755),
            ("extension/hello", 0o100_755),
            ("extension/hello.env", 0o100_644),
            ("extension/settings.toml", 0o100_644),
        ]
    );
    let script = text(&entries[8].2);
    assert!(
        script.starts_with("#!/bin/sh\n") && script.ends_with("\n"),
        "{script}"
    );
    assert!(
        !script.contains('\r') && script.contains("\nprogram='hello'\n"),
        "{script}"
    );
    assert!(!is_dynamic(&entries[9].2));

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
    assert_eq!(fs::read_dir(directory).unwrap().count(), 7);
}

#[test]
fn invalid_includes_are_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for file in ["extensionX.sh", "a~", "b/c/d~", "e/f", "f/e", "loop/f"] {
        write(&directory.join(file), "", 0o644);
    }
    for (link, to) in [
        ("loop/loop", "../loop"),
        ("dangling/a", "/no/such"),
        ("itself/a", "a"),
    ] {
        let link = directory.join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(to, link).unwrap();
    }
    let is_loop = format!(
        "loop/loop is a symbolic link to {}, which contains the link; remove it\n",
        directory.canonicalize().unwrap().join("loop").display()
    );
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
        (&["loop"], &is_loop),
        (
            &["dangling"],
            "dangling/a: it is a symbolic link to /no/such, which cannot be followed: No such file or directory (os error 2)\n",
        ),
        (
            &["itself"],
            "itself/a: it is a symbolic link to a, which cannot be followed: Too many levels of symbolic links (os error 40)\n",
        ),
        (
            &["dangling/a"],
            "a: it is a symbolic link to /no/such, which cannot be followed: No such file or directory (os error 2)\n",
        ),
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

#[test]
fn packaged_settings_are_tried() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("prod.env");
    write(&file, "FG_EXTENSION_PORT=99\n", 0o600);
    let zip = directory.path().join("hello.zip");
    let run = |more: &[&str]| {
        let mut command = package(&["-p", "hello", "--out"]);
        command.arg(&zip).args(more).output().unwrap()
    };
    let file = file.to_str().unwrap();
    let output = run(&["--env-file", file]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stdout.contains("cannot read FG_EXTENSION_PORT from hello.env: `99` is not a port"),
        "{stdout}"
    );
    assert!(
        stderr.contains(&format!(
            "cannot run the extension from it (its settings are those of {file} and of --env): "
        )),
        "{stderr}"
    );

    // Without the checks of --env-file.
    let settings = directory.path().join("hello.env");
    write(&settings, "export A=1", 0o600);
    let output = run(&["--include", settings.to_str().unwrap()]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.ends_with(
            "error: cannot include hello.env: the extension reads its settings from a file with this name; use --env-file, \
             which checks them\n"
        ),
        "{stderr}"
    );
}
