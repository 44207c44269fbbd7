//! New packages avoid the ports of the extensions around them.

use std::fs;

use super::{new, read, stdout};

#[test]
fn telemetry_gets_a_separate_port() {
    let directory = tempfile::tempdir().unwrap();
    for (name, port, telemetry_port) in [("a", "8084", "8085"), ("b", "8090", "8089")] {
        let printed = stdout(&new(
            directory.path(),
            &[name, "--example", "telemetry-archive", "--port", port],
        ));
        let ports = format!(", port {port}, telemetry port {telemetry_port}\n");
        assert!(printed.contains(&ports), "{printed}");
        let main = read(directory.path().join(name).join("src/main.rs"));
        assert!(main.contains(&format!(".sh\", port = {port})]")), "{main}");
        assert!(
            main.contains(&format!("#[telemetry(port = {telemetry_port}, ")),
            "{main}"
        );
    }
}

#[test]
fn ports_of_other_extensions_are_avoided() {
    let directory = tempfile::tempdir().unwrap();
    let workspace = directory.path().join("workspace");
    fs::create_dir(&workspace).unwrap();
    let manifest = "[workspace]\nresolver = \"3\"\nmembers = []\n";
    fs::write(workspace.join("Cargo.toml"), manifest).unwrap();
    let first_lines = |arguments: &[&str]| {
        let printed = stdout(&new(&workspace, arguments));
        let lines: Vec<_> = printed.lines().take(2).map(str::to_owned).collect();
        lines.join("\n")
    };
    for (arguments, ports, note) in [
        (&["sub/a"][..], "port 8081", None),
        (
            &["b"],
            "port 8082",
            Some("other packages use the ports of the example: 8081 (a)"),
        ),
        (
            &["c", "--example", "telemetry-archive"],
            "port 8083, telemetry port 8084",
            None,
        ),
        (
            &["d", "--example", "telemetry-archive"],
            "port 8085, telemetry port 8086",
            Some("other packages use the ports of the example: 8083 (c), 8084 (c)"),
        ),
        (
            &["e", "--port", "8084"],
            "port 8084",
            Some(
                "other packages use the same port, 8084 (c); extensions of one function need different ports",
            ),
        ),
        (&["f", "--port", "8087"], "port 8087", None),
        (&["g", "--port", "8089"], "port 8089", None),
        (&["h", "--port", "8090"], "port 8090", None),
    ] {
        let printed = first_lines(arguments);
        assert!(
            printed.contains(&format!(".sh, {ports}\n")),
            "{arguments:?}: {printed}"
        );
        assert_eq!(
            printed.split_once("\n        Note ").map(|(_, note)| note),
            note
        );
    }
    let rejected = |arguments: &[&str], expected: &str| {
        let output = new(&workspace, arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with(expected), "{stderr}");
    };
    rejected(
        &["i", "--example", "telemetry-archive"],
        "error: cannot create i: the package needs 2 of the ports 8081 to 8090, but only 1 is free, because other \
         packages here use 8081 (a), 8082 (b), ",
    );
    // A setting that is packaged beside the program replaces the port in the source.
    fs::write(workspace.join("b/prod.env"), "FG_EXTENSION_PORT=8088\n").unwrap();
    rejected(
        &["i"],
        "error: cannot create i: the package needs 1 of the ports 8081 to 8090, but none is free, ",
    );
    assert!(!workspace.join("i").exists());

    // Packages in other directories, without a workspace.
    let apart = directory.path().join("apart");
    fs::create_dir(&apart).unwrap();
    for (name, port) in [("a", "8081"), ("b", "8082")] {
        let printed = stdout(&new(&apart, &[name]));
        assert!(printed.contains(&format!(", port {port}\n")), "{printed}");
    }
}
