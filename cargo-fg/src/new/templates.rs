//! The templates of `cargo fg new`: copies of the examples, embedded so that `new` does not need the network.

use toml::Table;

use super::ports::Ports;

/// All templates, the default first.
pub(crate) const TEMPLATES: &[Template] = &[
    Template {
        name: "hello",
        manifest: include_str!("../../templates/hello/Cargo.toml.template"),
        main: include_str!("../../templates/hello/src/main.rs"),
        script_name: "extensionHello.sh",
        ports: Ports {
            extension: 8081,
            telemetry: None,
        },
        command: "let command = ExtensionCommand::new(SCRIPT, PROGRAM);",
    },
    Template {
        name: "audit-log",
        manifest: include_str!("../../templates/audit-log/Cargo.toml.template"),
        main: include_str!("../../templates/audit-log/src/main.rs"),
        script_name: "extensionAuditLog.sh",
        ports: Ports {
            extension: 8082,
            telemetry: None,
        },
        command: r#"let log = concat!(env!("CARGO_TARGET_TMPDIR"), "/audit.log");
    let command = ExtensionCommand::new(SCRIPT, PROGRAM).env("AUDIT_LOG", log);"#,
    },
    Template {
        name: "own-main",
        manifest: include_str!("../../templates/own-main/Cargo.toml.template"),
        main: include_str!("../../templates/own-main/src/main.rs"),
        script_name: "extensionCounter.sh",
        ports: Ports {
            extension: 8087,
            telemetry: None,
        },
        command: "let command = ExtensionCommand::new(SCRIPT, PROGRAM);",
    },
    Template {
        name: "telemetry-archive",
        manifest: include_str!("../../templates/telemetry-archive/Cargo.toml.template"),
        main: include_str!("../../templates/telemetry-archive/src/main.rs"),
        script_name: "extensionTelemetryArchive.sh",
        ports: Ports {
            extension: 8083,
            telemetry: Some(8084),
        },
        command: r#"let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/telemetry.jsonl");
    let command = ExtensionCommand::new(SCRIPT, PROGRAM).env("ARCHIVE_FILE", file);"#,
    },
    Template {
        name: "otlp-forwarder",
        manifest: include_str!("../../templates/otlp-forwarder/Cargo.toml.template"),
        main: include_str!("../../templates/otlp-forwarder/src/main.rs"),
        script_name: "extensionOtlpForwarder.sh",
        ports: Ports {
            extension: 8085,
            telemetry: Some(8086),
        },
        command: r#"// There is no collector to export to.
    let command = ExtensionCommand::new(SCRIPT, PROGRAM).env("OTEL_SDK_DISABLED", "true");"#,
    },
    Template {
        name: "secrets-cache",
        manifest: include_str!("../../templates/secrets-cache/Cargo.toml.template"),
        main: include_str!("../../templates/secrets-cache/src/main.rs"),
        script_name: "extensionSecretsCache.sh",
        ports: Ports {
            extension: 8089,
            telemetry: None,
        },
        command: r#"// Without a source of secrets. The token is set, so that no file is written for it.
    let token = "0123456789abcdef";
    let command = ExtensionCommand::new(SCRIPT, PROGRAM).env("FG_SECRETS_TOKEN", token);"#,
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
    /// The src/main.rs of the example. It contains `script_name` and each port exactly once.
    main: &'static str,
    script_name: &'static str,
    pub(crate) ports: Ports,
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

    /// Returns the src/main.rs with another script name and other ports.
    pub(crate) fn main(&self, script_name: &str, ports: Ports) -> String {
        // Replace the port by a marker first: the new port may be equal to the old telemetry port.
        let main = self.main.replace(self.script_name, script_name);
        let mut main = main.replace(&self.ports.extension.to_string(), "\u{1f}");
        if let (Some(from), Some(to)) = (self.ports.telemetry, ports.telemetry) {
            main = main.replace(&from.to_string(), &to.to_string());
        }
        main.replace('\u{1f}', &ports.extension.to_string())
    }

    /// Returns the tests/boots.rs for a package with this name and script name.
    pub(crate) fn test(&self, name: &str, script_name: &str) -> String {
        let wait = if self.ports.telemetry.is_none() {
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

    use super::{Ports, TEMPLATES};

    #[test]
    fn script_name_and_ports_are_replaced() {
        for template in TEMPLATES {
            let count = |text: &str| template.main.matches(text).count();
            assert_eq!(count(template.script_name), 1, "{}", template.name);
            assert_eq!(count(".sh\""), 1, "{}", template.name);
            let ports: Vec<_> = template.ports.all().map(|it| it.to_string()).collect();
            assert!(
                ports.iter().all(|port| count(port) == 1),
                "{}",
                template.name
            );
            assert_eq!(count("80"), ports.len(), "{}", template.name);

            // The new port may be equal to the old telemetry port.
            for extension in PORT_RANGE {
                let other = if extension == 8084 { 8083 } else { 8084 };
                let telemetry = template.ports.telemetry.map(|_| other);
                let new = Ports {
                    extension,
                    telemetry,
                };
                let main = template.main("extensionX.sh", new);
                for port in new.all() {
                    assert_eq!(main.matches(&port.to_string()).count(), 1, "{main}");
                }
                assert_eq!(main.matches("80").count(), ports.len(), "{main}");
            }
            let same = template.main(template.script_name, template.ports);
            assert_eq!(same, template.main, "{}", template.name);
        }
    }
}
