//! The examples of this project, embedded when cargo-fg is built, so that `new` needs no network.

use toml::Table;

/// All of them, the default first.
pub(crate) const EXAMPLES: &[Example] = &[
    Example {
        name: "hello",
        manifest: include_str!("../../../examples/hello/Cargo.toml"),
        main: include_str!("../../../examples/hello/src/main.rs"),
        script: "extensionHello.sh",
        port: 8081,
        telemetry_port: None,
        boot: "let boot = ExtensionCommand::new(SCRIPT, PROGRAM);",
    },
    Example {
        name: "audit-log",
        manifest: include_str!("../../../examples/audit-log/Cargo.toml"),
        main: include_str!("../../../examples/audit-log/src/main.rs"),
        script: "extensionAuditLog.sh",
        port: 8082,
        telemetry_port: None,
        boot: r#"let log = concat!(env!("CARGO_TARGET_TMPDIR"), "/audit.log");
    let boot = ExtensionCommand::new(SCRIPT, PROGRAM).env("AUDIT_LOG", log);"#,
    },
    Example {
        name: "own-main",
        manifest: include_str!("../../../examples/own-main/Cargo.toml"),
        main: include_str!("../../../examples/own-main/src/main.rs"),
        script: "extensionCounter.sh",
        port: 8083,
        telemetry_port: None,
        boot: "let boot = ExtensionCommand::new(SCRIPT, PROGRAM);",
    },
    Example {
        name: "telemetry-archive",
        manifest: include_str!("../../../examples/telemetry-archive/Cargo.toml"),
        main: include_str!("../../../examples/telemetry-archive/src/main.rs"),
        script: "extensionTelemetryArchive.sh",
        port: 8083,
        telemetry_port: Some(8084),
        boot: r#"let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/telemetry.jsonl");
    let boot = ExtensionCommand::new(SCRIPT, PROGRAM).env("ARCHIVE_FILE", file);"#,
    },
    Example {
        name: "otlp-forwarder",
        manifest: include_str!("../../../examples/otlp-forwarder/Cargo.toml"),
        main: include_str!("../../../examples/otlp-forwarder/src/main.rs"),
        script: "extensionOtlpForwarder.sh",
        port: 8085,
        telemetry_port: Some(8086),
        boot: r#"// No collector runs here.
    let boot = ExtensionCommand::new(SCRIPT, PROGRAM).env("OTEL_SDK_DISABLED", "true");"#,
    },
];

/// The one test of a new package, with gaps for what differs.
const TEST: &str = include_str!("boots.txt");

/// What a new package is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Example {
    pub(crate) name: &'static str,
    /// Its Cargo.toml.
    pub(crate) manifest: &'static str,
    /// Its src/main.rs, in which each of the next three is written once.
    main: &'static str,
    script: &'static str,
    pub(crate) port: u16,
    telemetry_port: Option<u16>,
    /// How the test boots it: with what keeps it off the rest of the machine.
    boot: &'static str,
}

impl Example {
    /// Its line in a list of them.
    pub(crate) fn description(&self) -> anyhow::Result<String> {
        let manifest: Table = self.manifest.parse()?;
        let description = manifest
            .get("package")
            .and_then(|it| it.get("description"))
            .and_then(|it| it.as_str());
        Ok(description.unwrap_or_default().to_owned())
    }

    /// The port for telemetry, if it has one: the next to its own, as in the examples.
    pub(crate) fn telemetry_port(&self, port: u16) -> Option<u16> {
        self.telemetry_port
            .map(|_| if port < 8090 { port + 1 } else { port - 1 })
    }

    /// The program, under another script name and on another port.
    pub(crate) fn main(&self, script: &str, port: u16) -> String {
        // Its own port by way of a mark, since it may become what telemetry's was.
        let main = self.main.replace(self.script, script);
        let mut main = main.replace(&self.port.to_string(), "\u{1f}");
        if let (Some(from), Some(to)) = (self.telemetry_port, self.telemetry_port(port)) {
            main = main.replace(&from.to_string(), &to.to_string());
        }
        main.replace('\u{1f}', &port.to_string())
    }

    /// Its test.
    pub(crate) fn test(&self, name: &str, script: &str) -> String {
        let up = if self.telemetry_port.is_none() {
            "platform.boot(boot.lease_port()).await?;"
        } else {
            "platform
        .boot(boot.lease_port().lease_telemetry_port())
        .await?;
    platform.wait_for_subscription().await?;"
        };
        TEST.replace("<boot>", self.boot)
            .replace("<up>", up)
            .replace("<script>", script)
            .replace("<name>", name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::EXAMPLES;

    #[test]
    fn all_of_the_project_are_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let there: BTreeSet<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let embedded: BTreeSet<_> = EXAMPLES.iter().map(|it| it.name.to_owned()).collect();
        assert_eq!(embedded, there);
    }

    #[test]
    fn script_and_ports_are_renamed_where_they_are() {
        for example in EXAMPLES {
            let count = |text: &str| example.main.matches(text).count();
            assert_eq!(count(example.script), 1, "{}", example.name);
            assert_eq!(count(".sh\""), 1, "{}", example.name);
            let ports = [Some(example.port), example.telemetry_port];
            let ports: Vec<_> = ports
                .into_iter()
                .flatten()
                .map(|it| it.to_string())
                .collect();
            assert!(
                ports.iter().all(|port| count(port) == 1),
                "{}",
                example.name
            );
            assert_eq!(count("80"), ports.len(), "{}", example.name);

            // Its own port may become what telemetry's was.
            for port in 8081..=8090 {
                let main = example.main("extensionX.sh", port);
                let telemetry_port = example.telemetry_port(port);
                assert_ne!(telemetry_port, Some(port));
                for port in [Some(port), telemetry_port].into_iter().flatten() {
                    assert_eq!(main.matches(&port.to_string()).count(), 1, "{main}");
                    assert!((8081..=8090).contains(&port));
                }
                assert_eq!(main.matches("80").count(), ports.len(), "{main}");
            }
            let same = example.main(example.script, example.port);
            assert_eq!(same, example.main, "{}", example.name);
        }
    }
}
