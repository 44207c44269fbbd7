//! Conformance: every case is tried on the extension itself, and nothing is taken on trust.

mod boots;
mod budget;
mod cases;
mod client;
mod end;
mod format;
mod invocation;
mod package;
mod registration;
mod report;
mod table;
mod telemetry;
mod watch;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use fg_emulator::{Faults, Registered};
use tokio::time::timeout;

use self::boots::{Booted, Boots, Start};
use crate::boot::{BootProgram as Kind, BootSpec as Prepared, ExtensionSource as Subject};
use crate::signals::ShutdownSignals;

pub(crate) use self::budget::Budget;
pub(crate) use self::cases::{find, select};
pub(crate) use self::format::{Format, explain, list, print, report};
pub(crate) use self::report::{Outcome, Report};

/// What needs a process.
const LIVE: [&str; 6] = ["REG-", "INV-", "FRZ-", "TEL-", "END-", "BUD-"];
/// What needs an extension that answers an event with 200.
const ANSWERED: [&str; 4] = ["INV-", "FRZ-", "END-02", "BUD-02"];

/// What was checked, and what was found.
pub(crate) struct Checked {
    /// The script's name, or the ZIP's if it has none.
    pub(crate) script: String,
    /// Where it comes from.
    pub(crate) what: Option<String>,
    pub(crate) report: Report,
}

/// Tries the cases.
pub(crate) fn check(
    subject: &Subject,
    selected: BTreeSet<&'static str>,
    budget: Budget,
    environment: &[(String, String)],
) -> anyhow::Result<Checked> {
    let mut report = Report::new(selected);
    budget.skip(&mut report);
    if let Some(zip) = subject.zip() {
        let obstacle = package::zip(zip, &mut report)?;
        if let Some(obstacle) = obstacle {
            report.prevent(obstacle, &LIVE);
            return Ok(Checked {
                script: zip.display().to_string(),
                what: None,
                report,
            });
        }
    }
    let prepared = subject.prepare()?;
    if subject.zip().is_none()
        && let Some(obstacle) = package::without_zip(&prepared, &mut report)?
    {
        report.prevent(obstacle, &LIVE);
    }
    if LIVE.iter().any(|prefix| report.wants(prefix)) {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the tokio runtime")?;
        let boots = Boots {
            prepared: &prepared,
            environment,
            address: OnceCell::new(),
        };
        // Interrupted, it leaves no processes and no folders behind.
        runtime.block_on(async {
            ShutdownSignals::listen()?
                .run_or_cancel(live(&boots, budget, &mut report))
                .await
        })?;
    }
    Ok(Checked {
        script: prepared.script_name.clone(),
        what: Some(what(&prepared)),
        report,
    })
}

fn what(prepared: &Prepared) -> String {
    match &prepared.program {
        Kind::Built(built) => format!("{} of package {}, debug build", built.name, built.package),
        Kind::Command(words) => shell_words::join(words),
        Kind::Unpacked { zip, .. } => zip.display().to_string(),
    }
}

/// All that needs a process: one boot for most, and one each for what spoils it.
async fn live(boots: &Boots<'_>, budget: Budget, report: &mut Report) -> anyhow::Result<()> {
    let booted = boots.boot(Faults::default()).await?;
    registration::first(&booted, &boots.prepared.script_name, report);
    let Start::Registered(registered) = &booted.start else {
        report.heard(&booted.watch, true);
        let culprit = report.failed(&registration::NEEDED).unwrap_or("REG-01");
        report.prevent(culprit, &LIVE);
        return booted.end(false).await;
    };
    events(&booted, registered, budget, report).await;
    registration::count(&booted, report);
    end::sigterm(booted.platform, report).await?;
    report.heard(&booted.watch, report.count(Outcome::Fail) > 0);

    let in_order = report.failed(&["END-01"]).is_none();
    if report.wants("REG-07") {
        registration::retries(boots, in_order, report).await?;
    }
    if report.wants("REG-08") {
        registration::refusal(boots, in_order, report).await?;
    }
    if !in_order {
        report.prevent("END-01", &["END-02"]);
    }
    if report.wants("END-02") {
        end::in_flight(boots, is_late(report), report).await?;
    }
    if report.wants("BUD-01") {
        budget.starts(boots, in_order, report).await?;
    }
    Ok(())
}

/// Whether it may be registered before it listens.
fn is_late(report: &Report) -> bool {
    report.failed(&["REG-05"]).is_some()
}

/// What can be tried on one process, the riskiest last.
async fn events(booted: &Booted, registered: &Registered, budget: Budget, report: &mut Report) {
    let address = registered.address;
    for id in [
        "INV-01", "INV-02", "INV-03", "INV-05", "FRZ-01", "TEL-", "INV-04",
    ] {
        let is_wanted = match id {
            "INV-01" => ANSWERED.iter().any(|prefix| report.wants(prefix)),
            "INV-02" => report.wants("INV-02") || report.wants("BUD-02"),
            _ => report.wants(id),
        };
        if !is_wanted {
            continue;
        }
        match id {
            "INV-01" => {
                if is_late(report) {
                    client::listening(address).await;
                }
                invocation::documented(address, report).await;
                if report.failed(&["INV-01"]).is_some() {
                    report.prevent("INV-01", &ANSWERED);
                }
            }
            "INV-02" => {
                invocation::many(address, report).await;
                budget.memory(registered.pid, report);
            }
            "INV-03" => invocation::connections(address, report).await,
            "INV-04" => invocation::malformed(address, report).await,
            "INV-05" => invocation::unknown_fields(address, report).await,
            "FRZ-01" => invocation::freeze(&booted.platform, address, report).await,
            _ => telemetry::check(&booted.platform, &booted.watch, report).await,
        }
        // It is not seen to have ended at the moment at which its connections break off.
        let moment = Duration::from_millis(500);
        let culprit = match id {
            "TEL-" => report.failed(&["TEL-01", "TEL-02", "TEL-03"]),
            id => report.failed(&[id]),
        };
        if let Some(culprit) = culprit
            && timeout(moment, booted.platform.ended()).await.is_ok()
        {
            report.prevent(culprit, &["INV-", "FRZ-", "TEL-", "END-01", "BUD-02"]);
            return;
        }
    }
}
