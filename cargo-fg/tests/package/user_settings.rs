//! Flags and profiles of the user, and C libraries.

use super::machine::{MUSL, Machine, assert_lines};
use super::text;

#[test]
fn debug_information_is_kept_if_the_user_asks_for_it() {
    let strip = "CARGO_PROFILE_RELEASE_STRIP";
    let lto = "CARGO_PROFILE_RELEASE_LTO=fat";
    for (manifest, keeps) in [
        ("[profile.release]\ndebug = true\n", true),
        ("[profile.release]\ndebug = \"line-tables-only\"\n", true),
        ("[profile.release.package.demo]\ndebug = 1\n", true),
        ("[profile.release.package.\"*\"]\ndebug = false\n", false),
        ("[profile.release]\ndebug = \"none\"\n", false),
        ("[profile.dev]\ndebug = true\n", false),
    ] {
        let machine = Machine::new(manifest);
        machine.targets(MUSL);
        let lines = machine.build_lines(&[], &[]);
        assert_lines(&lines, &[lto], &[]);
        assert_eq!(lines.contains(strip), !keeps, "{manifest}{lines}");
    }

    let machine = Machine::new("[profile.release]\ndebug = true\n");
    machine.targets(MUSL);
    // The environment has precedence over the manifest.
    let lines = machine.build_lines(&[], &[("CARGO_PROFILE_RELEASE_DEBUG", "false")]);
    assert_lines(&lines, &["CARGO_PROFILE_RELEASE_STRIP=symbols"], &[]);
    // So have cargo's configuration files.
    machine.write(".cargo/config.toml", "[profile.release]\ndebug = 0\n");
    let lines = machine.build_lines(&[], &[]);
    assert_lines(&lines, &["CARGO_PROFILE_RELEASE_STRIP=symbols"], &[]);
    machine.write(
        ".cargo/config.toml",
        "[profile.release.package.demo]\ndebug = 2\n",
    );
    let machine_lines = machine.build_lines(&[], &[("CARGO_PROFILE_RELEASE_DEBUG", "none")]);
    assert_lines(&machine_lines, &[lto], &[strip]);
}

/// Replaces cargo: `cargo rustc` prints these features, and `cargo build` fails with this message.
fn fake_cargo(machine: &Machine, features: &str, message: &str) {
    let script = format!(
        "#!/bin/sh\ncase $1 in\nrustc) for it in {features}; do echo \"target_feature=\\\"$it\\\"\"; done;;\n\
         build) echo '{message}' >&2; exit 1;;\n*) exec \"$REAL_CARGO\" \"$@\";;\nesac\n"
    );
    machine.write("bin/cargo", &script);
}

#[test]
fn flags_for_other_processors_are_a_warning() {
    let machine = Machine::new("");
    machine.targets(MUSL);
    let stdout = |environment: &[(&str, &str)]| {
        let output = machine.package(&[], environment);
        assert_eq!(output.status.code(), Some(1));
        text(&output.stdout)
    };
    fake_cargo(&machine, "avx avx2 crt-static", "error");
    assert_eq!(stdout(&[]), "");
    assert_eq!(stdout(&[("RUSTFLAGS", "-Copt-level=1")]), "");
    let warning = |flag: &str| {
        format!(
            "     Warning {flag} lets the program use avx, avx2. It is unknown whether FunctionGraph's processors have these \
             features, and on one without them the program crashes (SIGILL); use at most -Ctarget-cpu=x86-64-v2\n"
        )
    };
    let flags = [("RUSTFLAGS", "-C target-cpu=native")];
    assert_eq!(stdout(&flags), warning("-Ctarget-cpu=native in RUSTFLAGS"));
    let config = "[target.'cfg(unix)']\nrustflags = [\"-Ctarget-feature=+avx\"]\n\
                  [target.'cfg(windows)']\nrustflags = [\"-Ctarget-feature=+avx2\"]\n";
    machine.write(".cargo/config.toml", config);
    let file = machine.path(".cargo/config.toml");
    let file = file.canonicalize().unwrap();
    let of_file = format!("-Ctarget-feature=+avx in {}", file.display());
    assert_eq!(stdout(&[]), warning(&of_file));

    // The flags have no effect here.
    fake_cargo(&machine, "crt-static", "error");
    assert_eq!(stdout(&flags), "");
}

#[test]
fn libraries_that_cannot_be_linked_cause_a_hint() {
    let machine = Machine::new("");
    machine.targets(MUSL);
    let message = "error: failed to run custom build command for `openssl-sys v0.9.109`";
    fake_cargo(&machine, "", message);
    let output = machine.package(&[], &[]);
    let stderr = text(&output.stderr);
    let hint = "\nerror: the build failed: the C library of openssl-sys cannot be linked for x86_64-unknown-linux-musl; ";
    assert!(stderr.starts_with(message), "{stderr}");
    assert_eq!(stderr.matches(hint).count(), 1, "{stderr}");

    fake_cargo(&machine, "", "error: mismatched types");
    let output = machine.package(&[], &[]);
    let stderr = text(&output.stderr);
    assert_eq!(stderr, "error: mismatched types\nerror: the build failed\n");
}
