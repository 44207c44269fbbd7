//! The examples as programs, and what each must have done with the invocations.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use fg_emulator::{ExtensionCommand, ProcessExit};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use super::collector::Collector;

/// An example.
pub(crate) struct Program {
    pub(crate) package: &'static str,
    pub(crate) script: &'static str,
    pub(crate) subscribes: bool,
}

pub(crate) const HELLO: Program = Program::new("hello", "extensionHello.sh", false);
pub(crate) const AUDIT_LOG: Program = Program::new("audit-log", "extensionAuditLog.sh", false);
pub(crate) const OWN_MAIN: Program = Program::new("own-main", "extensionCounter.sh", false);
pub(crate) const ARCHIVE: Program =
    Program::new("telemetry-archive", "extensionTelemetryArchive.sh", true);
pub(crate) const FORWARDER: Program =
    Program::new("otlp-forwarder", "extensionOtlpForwarder.sh", true);

/// The examples that are booted in pairs.
pub(crate) const PROGRAMS: [Program; 5] = [HELLO, AUDIT_LOG, OWN_MAIN, ARCHIVE, FORWARDER];

impl Program {
    const fn new(package: &'static str, script: &'static str, subscribes: bool) -> Self {
        Self {
            package,
            script,
            subscribes,
        }
    }

    /// Returns the command that boots the example. It writes its files to the directory.
    pub(crate) fn command(&self, directory: &Path, collector: &Collector) -> ExtensionCommand {
        self.renamed(self.script, directory, collector)
    }

    /// The same under another script name than the compiled one.
    pub(crate) fn renamed(
        &self,
        script: &str,
        directory: &Path,
        collector: &Collector,
    ) -> ExtensionCommand {
        ExtensionCommand::new(script, path_of(self.package))
            .env("AUDIT_LOG", directory.join("audit.log"))
            .env("ARCHIVE_FILE", directory.join("telemetry.jsonl"))
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
            // The programs run at the same time.
            .env("FG_OTLP_RECEIVER", "off")
    }

    /// The same with leased ports.
    pub(crate) fn leased(&self, directory: &Path, collector: &Collector) -> ExtensionCommand {
        let command = self.command(directory, collector).lease_port();
        match self.subscribes {
            true => command.lease_telemetry_port(),
            false => command,
        }
    }

    /// Asserts that the extension has done its job for each invocation: nothing is missing after the shutdown.
    pub(crate) fn assert_complete(
        &self,
        exit: &ProcessExit,
        trace_ids: &[String],
        is_subscribed: bool,
        directory: &Path,
        collector: &Collector,
    ) {
        let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
        let found = match self.package {
            "hello" => exit.stdout(),
            "own-main" => {
                let count = format!("{} invocations\n", trace_ids.len());
                assert_eq!(exit.stdout(), count);
                return;
            }
            "audit-log" => {
                let log = read("audit.log");
                assert!(log.ends_with("shutdown\n"), "{log}");
                log
            }
            // Without the subscription, there is nothing to archive or to send.
            _ if !is_subscribed => return,
            "telemetry-archive" => read("telemetry.jsonl")
                .lines()
                .filter(|line| line.contains("platform.report"))
                .collect(),
            _ => collector.received("/v1/traces"),
        };
        for id in trace_ids {
            assert!(found.contains(id), "{}: {id} in\n{found}", self.package);
        }
    }
}

/// Only one test at a time boots a pair: each extension leases its ports for itself, and pairs that wait for their second
/// extension could deadlock.
pub(crate) async fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// Returns the path of the program of an example. The first call builds all of them: cargo builds the programs of a
/// package only for the tests of the same package.
fn path_of(package: &str) -> PathBuf {
    static PATHS: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    PATHS.get_or_init(build)[package].clone()
}

fn build() -> HashMap<String, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--message-format=json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    for program in PROGRAMS {
        cargo.args(["--package", program.package]);
    }
    let output = cargo.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let messages = String::from_utf8(output.stdout).unwrap();
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let name = message["target"]["name"].as_str()?.to_owned();
        Some((name, PathBuf::from(message["executable"].as_str()?)))
    };
    messages.lines().filter_map(executable).collect()
}
