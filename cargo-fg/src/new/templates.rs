//! The templates of `cargo fg new`: copies of the examples, embedded so that `new` does not need the network.

use fg_emulator::PORT_RANGE;
use toml::Table;

/// All templates, the default first.
pub(crate) const TEMPLATES: &[Template] = &[
    Template {
        name: "hello",
        manifest: include_str!("../../templates/hello/Cargo.toml.template"),
        main: include_str!("../../templates/hello/src/main.rs"),
        script_name: "extensionHello.sh",
        port: 8081,
        telemetry_port: None,
        command: "let command = ExtensionCommand::new(SCRIPT, PROGRAM);",
    },
    Template {
        name: "audit-log",
        manifest: include_str!("../../templates/audit-log/Cargo.toml.template"),
        main: include_str!("../../templates/audit-log/src/main.rs"),
        script_name: "extensionAuditLog.sh",
        port: 8082,
        telemetry_port: None,
        command: r#"let log = concat!(env!("CARGO_TARGET_TMPDIR"), "/audit.log");
    let command = ExtensionCommand::new(SCRIPT, PROGRAM).env("AUDIT_LOG", log);"#,
    },
    Template {
        name: "own-main",
        manifest: include_str!("../../templates/own-main/Cargo.toml.template"),
        main: include_str!("../../templates/own-main/src/main.rs"),
        script_name: "extensionCounter.sh",
        port: 8087,
        telemetry_port: None,
        command: "let command = ExtensionCommand::new(SCRIPT, PROGRAM);",
    },
    Template {
        name: "telemetry-archive",
        manifest: include_str!("../../templates/telemetry-archive/Cargo.toml.template"),
        main: include_str!("../../templates/telemetry-archive/src/main.rs"),
        script_name: "extensionTelemetryArchive.sh",
        port: 8083,
        telemetry_port: Some(8084),
        command: r#"let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/telemetry.jsonl");
    let command = ExtensionCommand::new(SCRIPT, PROGRAM).env("ARCHIVE_FILE", file);"#,
    },
    Template {
        name: "otlp-forwarder",
        manifest: include_str!("../../templates/otlp-forwarder/Cargo.toml.template"),
        main: include_str!("../../templates/otlp-forwarder/src/main.rs"),
        script_name: "extensionOtlpForwarder.sh",
        port: 8085,
        telemetry_port: Some(8086),
        command: r#"// There is no collector to export to.
    let command = ExtensionCommand::new(SCRIPT, PROGRAM).env("OTEL_SDK_DISABLED", "true");"#,
    },
];

/// The test of a new package, with placeholders for the names, the command, and the steps to wait for.
const TEST: &str = include_str!("../../templates/boots.rs.template");

/// A template for a new package.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template {
    pub(crate) name: &'static str,
    /// The Cargo.toml of the example.
    pub(crate) manifest: &'static str,
    /// The src/main.rs of the example. It contains `script_name`, `port` and `telemetry_port` exactly once each.
    main: &'static str,
    script_name: &'static str,
    pub(crate) port: u16,
    telemetry_port: Option<u16>,
    /// The statement in the test that creates the command to boot. It sets variables that keep the extension from
    /// touching files or services outside of the test.
    command: &'static str,
}

impl Template {
    /// Returns the description in the Cargo.toml.
    pub(crate) fn description(&self) -> anyhow::Result<String> {
        let manifest: Table = self.manifest.parse()?;
        let description = manifest
            .get("package")
            .and_then(|it| it.get("description"))
            .and_then(|it| it.as_str());
        Ok(description.unwrap_or_default().to_owned())
    }

    /// Returns the port for telemetry, which is next to the extension's own port; `None` if the template does not
    /// subscribe to telemetry.
    pub(crate) fn telemetry_port(&self, port: u16) -> Option<u16> {
        let next = if port < *PORT_RANGE.end() {
            port + 1
        } else {
            port - 1
        };
        self.telemetry_port.map(|_| next)
    }

    /// Returns the src/main.rs with another script name and another port.
    pub(crate) fn main(&self, script_name: &str, port: u16) -> String {
        // Replace the port by a marker first: the new port may be equal to the old telemetry port.
        let main = self.main.replace(self.script_name, script_name);
        let mut main = main.replace(&self.port.to_string(), "\u{1f}");
        if let (Some(from), Some(to)) = (self.telemetry_port, self.telemetry_port(port)) {
            main = main.replace(&from.to_string(), &to.to_string());
        }
        main.replace('\u{1f}', &port.to_string())
    }

    /// Returns the tests/boots.rs for a package with this name and script name.
    pub(crate) fn test(&self, name: &str, script_name: &str) -> String {
        let wait = if self.telemetry_port.is_none() {
            "platform.boot(command.lease_port()).await?;"
        } else {
            "platform
        .boot(command.lease_port().lease_telemetry_port())
        .await?;
    platform.wait_for_subscription().await?;"
        };
        TEST.replace("<command>", self.command)
            .replace("<wait>", wait)
            .replace("<script>", script_name)
            .replace("<name>", name)
    }
}

#[cfg(test)]
mod tests {
    use fg_emulator::PORT_RANGE;

    use super::TEMPLATES;

    #[test]
    fn script_name_and_ports_are_replaced() {
        for template in TEMPLATES {
            let count = |text: &str| template.main.matches(text).count();
            assert_eq!(count(template.script_name), 1, "{}", template.name);
            assert_eq!(count(".sh\""), 1, "{}", template.name);
            let ports = [Some(template.port), template.telemetry_port];
            let ports: Vec<_> = ports
                .into_iter()
                .flatten()
                .map(|it| it.to_string())
                .collect();
            assert!(
                ports.iter().all(|port| count(port) == 1),
                "{}",
                template.name
            );
            assert_eq!(count("80"), ports.len(), "{}", template.name);

            // The new port may be equal to the old telemetry port.
            for port in PORT_RANGE {
                let main = template.main("extensionX.sh", port);
                let telemetry_port = template.telemetry_port(port);
                assert_ne!(telemetry_port, Some(port));
                for port in [Some(port), telemetry_port].into_iter().flatten() {
                    assert_eq!(main.matches(&port.to_string()).count(), 1, "{main}");
                    assert!(PORT_RANGE.contains(&port));
                }
                assert_eq!(main.matches("80").count(), ports.len(), "{main}");
            }
            let same = template.main(template.script_name, template.port);
            assert_eq!(same, template.main, "{}", template.name);
        }
    }
}
