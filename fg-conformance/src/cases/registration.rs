//! REG: what a registration looks like, and what the extension does if it fails.

use std::net::SocketAddr;
use std::time::Duration;

use fg_emulator::{ApiRequest, Fault, FaultRate, Faults, is_extension_address};

use super::{CaseId, Group};
use crate::Error;
use crate::harness::{Booted, Exit, Harness, QUIET_PERIOD, Recorded, Start, StopMode};
use crate::report::{Finding, Report};

/// REG-01 to 05, from what was recorded of a boot.
pub(crate) fn check_first(booted: &Booted, script: &str, report: &mut Report) {
    let recorded = booted.recorder.recorded();
    let Some((request, _)) = recorded.registrations().next() else {
        let detail = unregistered(&booted.start, &recorded);
        report.record(CaseId::Reg01, Finding::fail(detail));
        report.prevent_within(Group::Registration);
        return;
    };
    report.record(CaseId::Reg02, headers(request));
    if let (Some(name), Some(address)) = (&request.name, &request.address) {
        report.record(CaseId::Reg03, script_name(name, script));
        report.record(CaseId::Reg04, in_range(address));
        // Otherwise its address cannot be connected to, or is not its own.
        if let Some(listens) = &recorded.listens
            && !report.is_failed(CaseId::Reg04)
        {
            report.record(CaseId::Reg05, listening(address, listens));
        }
    }
    let others = [CaseId::Reg02, CaseId::Reg03, CaseId::Reg04];
    let first = match &booted.start {
        Start::Registered(registered) => Finding::pass(format!(
            "registered {:.1?} after its start",
            registered.startup_duration
        )),
        // They say why it was rejected.
        _ if report.first_failed(&others).is_some() => Finding::pass("called in time"),
        _ => Finding::fail(unregistered(&booted.start, &recorded)),
    };
    report.record(CaseId::Reg01, first);
    report.prevent_within(Group::Registration);
}

fn unregistered(start: &Start, recorded: &Recorded) -> String {
    let how = match start {
        Start::Exited(Exit { status, .. }) => {
            format!("it ended with {status} before it registered")
        }
        _ => "it did not register".to_owned(),
    };
    let others = recorded
        .requests
        .iter()
        .map(|(request, _)| format!("{} {}", request.method, request.path));
    let others: Vec<_> = others.collect();
    match (&others[..], recorded.rejected.last()) {
        ([], _) => how,
        (others, None) => format!("{how}; it called {}", others.join(", ")),
        (others, Some((_, why))) => format!("{how}; it called {}: {why}", others.join(", ")),
    }
}

fn headers(request: &ApiRequest) -> Result<String, String> {
    if request.method != "POST" {
        return Err(format!("it called by {}", request.method));
    }
    let headers = [
        ("FunctionGraph-Extension-Name", &request.name),
        ("FunctionGraph-Extension-Address", &request.address),
    ];
    let missing: Vec<_> = headers
        .iter()
        .filter_map(|(name, value)| value.is_none().then_some(*name))
        .collect();
    if missing.is_empty() {
        Ok("POST with both".to_owned())
    } else {
        Err(format!("without {}", missing.join(" and ")))
    }
}

fn script_name(name: &str, script: &str) -> Result<String, String> {
    if name == script {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "it registers as `{name}`, and was booted as `{script}`"
        ))
    }
}

fn in_range(text: &str) -> Result<String, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| format!("`{text}` is no IP and port"))?;
    if is_extension_address(address) {
        Ok(text.to_owned())
    } else {
        Err(format!("it registers {text}"))
    }
}

fn listening(address: &str, listens: &std::io::Result<()>) -> Result<String, String> {
    match listens {
        Ok(()) => Ok("connected when its call came".to_owned()),
        Err(error) => Err(format!(
            "when its call came, nobody listened at {address}: {error}"
        )),
    }
}

/// REG-06, after everything that could make it register again.
pub(crate) fn check_count(booted: &Booted, report: &mut Report) {
    let calls = booted.recorder.recorded().registrations().count();
    let finding = match calls {
        1 => Finding::pass("1 call"),
        calls => Finding::fail(format!(
            "{calls} calls, of which the first was answered with 200"
        )),
    };
    report.record(CaseId::Reg06, finding);
}

/// REG-07, in boots of its own.
pub(crate) async fn check_retry(
    harness: &Harness<'_>,
    stop_mode: StopMode,
    report: &mut Report,
) -> Result<(), Error> {
    let faults = [
        ("a 503", Fault::RegisterUnavailable),
        ("a reset", Fault::RegisterReset),
    ];
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (description, fault) in faults {
        let faults = Faults::new(0).with(fault, FaultRate::First(1));
        let booted = harness.boot(faults).await?;
        let pause = pause(&booted.recorder.recorded());
        match (&booted.start, pause) {
            (Start::Registered(_), Some(pause)) => {
                good.push(format!("after {description} again in {pause:.0?}"));
            }
            (Start::Registered(_), None) => {
                bad.push(format!("after {description} it was never accepted"))
            }
            (Start::Exited(Exit { status, .. }), _) => {
                bad.push(format!("after {description} it ended with {status}"));
            }
            (Start::Unregistered, Some(_)) => {
                bad.push(format!("after {description} it was not registered"));
            }
            (Start::Unregistered, None) => bad.push(format!(
                "after {description} it did not try again in {QUIET_PERIOD:?}"
            )),
        }
        if !bad.is_empty() {
            report.keep_stderr(&booted.recorder);
        }
        booted.stop(stop_mode).await?;
    }
    let result = if bad.is_empty() {
        Ok(good.join(", "))
    } else {
        Err(bad.join("; "))
    };
    report.record(CaseId::Reg07, result);
    Ok(())
}

/// The time between the first two registrations.
fn pause(recorded: &Recorded) -> Option<Duration> {
    let mut calls = recorded.registrations().map(|(_, at)| at);
    let first = calls.next()?;
    calls.next().map(|second| second - first)
}

/// REG-08, in a boot of its own.
pub(crate) async fn check_rejection(
    harness: &Harness<'_>,
    stop_mode: StopMode,
    report: &mut Report,
) -> Result<(), Error> {
    let faults = Faults::new(0).with(Fault::RegisterRejected, FaultRate::Probability(1.0));
    let booted = harness.boot(faults).await?;
    let finding = match &booted.start {
        Start::Exited(Exit { status, .. }) if !status.success() => {
            Finding::pass(format!("refused with 400, it ended with {status}"))
        }
        Start::Exited(Exit { status, .. }) => {
            Finding::fail(format!("refused with 400, it ended with {status}"))
        }
        _ => Finding::fail(format!(
            "refused with 400, it went on for {QUIET_PERIOD:?} and longer"
        )),
    };
    if finding.is_fail() {
        report.keep_stderr(&booted.recorder);
    }
    report.record(CaseId::Reg08, finding);
    booted.stop(stop_mode).await
}

#[cfg(test)]
mod tests {
    use super::in_range;

    #[test]
    fn addresses() {
        for good in ["127.0.0.1:8081", "127.0.0.1:8090"] {
            in_range(good).unwrap();
        }
        for bad in [
            "127.0.0.1:8080",
            "127.0.0.1:8091",
            "127.0.0.2:8081",
            "0.0.0.0:8081",
            "[::1]:8081",
            "localhost:8081",
            "http://127.0.0.1:8081",
            "127.0.0.1",
            "",
        ] {
            in_range(bad).unwrap_err();
        }
    }
}
