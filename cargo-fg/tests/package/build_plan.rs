//! The options and variables that cargo gets.

use std::fs;

use super::machine::{MUSL, Machine, assert_lines};
use super::text;

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

    // The user's flags are kept: cargo appends to a list, and ignores those of `build` if there are some for the target.
    let flags = |key: &str| format!("{key}.rustflags=[\"-Ctarget-feature=+crt-static\"]");
    let of_target = "target.x86_64-unknown-linux-gnu";
    let list = "rustflags = [\"-Copt-level=1\"]\n";
    let string = "rustflags = \"-Copt-level=1\"\n";
    for (config, expected) in [
        (format!("[build]\n{list}"), flags("build")),
        (
            format!("[build]\n{string}"),
            "build.rustflags=\"-Copt-level=1 -Ctarget-feature=+crt-static\"".to_owned(),
        ),
        (format!("[{of_target}]\n{list}"), flags(of_target)),
        (
            format!("[{of_target}]\n{string}[build]\n{list}"),
            format!("{of_target}.rustflags=\"-Copt-level=1 -Ctarget-feature=+crt-static\""),
        ),
        (
            format!("[target.'cfg(unix)']\n{list}[build]\n{list}"),
            flags(of_target),
        ),
        (
            format!("[target.'cfg(windows)']\n{list}[build]\n{list}"),
            flags("build"),
        ),
    ] {
        machine.write(".cargo/config.toml", &config);
        let lines = machine.build_lines(&[], &[]);
        assert_lines(&lines, &["--config", &expected], &["RUSTFLAGS"]);
    }
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
