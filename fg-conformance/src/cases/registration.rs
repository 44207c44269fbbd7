//! REG: the registration request, and how the extension reacts when it fails.

use std::net::SocketAddr;
use std::time::Duration;

use fg_emulator::{ApiRequest, Fault, FaultRate, Faults, describe_exit, is_extension_address};

use super::{CaseId, Group};
use crate::Error;
use crate::harness::{Booted, Exit, Harness, QUIET_PERIOD, Recorded, Start, StopMode};
use crate::report::{Finding, Report};

/// Checks REG-01 to REG-05 against the recording of a boot.
pub(crate) fn check_first_registration(booted: &Booted, script: &str, report: &mut Report) {
    let recorded = booted.recorder.recorded();
    let Some((request, _)) = recorded.registrations().next() else {
        let reason = booted.start.registered().err().unwrap_or_default();
        let detail = describe_unregistered(reason, &recorded);
        report.record(CaseId::Reg01, Finding::fail(detail));
        report.block_within_group(Group::Registration);
        return;
    };
    report.record(CaseId::Reg02, check_headers(request));
    if let (Some(name), Some(address)) = (&request.name, &request.address) {
        report.record(CaseId::Reg03, check_name(name, script));
        report.record(CaseId::Reg04, check_address(address));
        // An address outside the range may not be the extension's own.
        if let Some(listens) = &recorded.listens
            && !report.is_failed(CaseId::Reg04)
        {
            report.record(CaseId::Reg05, check_listening(address, listens));
        }
    }
    let others = [CaseId::Reg02, CaseId::Reg03, CaseId::Reg04];
    let first = match booted.start.registered() {
        Ok(registered) => Finding::pass(format!(
            "registered {:.1?} after starting",
            registered.startup_duration
        )),
        // The other cases report why the registration was rejected.
        Err(_) if report.first_failed(&others).is_some() => {
            Finding::pass("sent a registration in time")
        }
        Err(reason) => Finding::fail(describe_unregistered(reason, &recorded)),
    };
    report.record(CaseId::Reg01, first);
    report.block_within_group(Group::Registration);
}

/// Adds the requests that the extension sent to the reason why it is not registered.
fn describe_unregistered(reason: String, recorded: &Recorded) -> String {
    let others = recorded
        .requests
        .iter()
        .map(|(request, _)| format!("{} {}", request.method, request.path));
    let others: Vec<_> = others.collect();
    match (&others[..], recorded.rejected.last()) {
        ([], _) => reason,
        (others, None) => format!("{reason}; it sent {}", others.join(", ")),
        (others, Some((_, why))) => format!("{reason}; it sent {}: {why}", others.join(", ")),
    }
}

fn check_headers(request: &ApiRequest) -> Finding {
    if request.method != "POST" {
        return Finding::fail(format!(
            "registered with the method {}; expected POST",
            request.method
        ));
    }
    let headers = [
        ("FunctionGraph-Extension-Name", &request.name),
        ("FunctionGraph-Extension-Address", &request.address),
    ];
    let missing: Vec<_> = headers
        .iter()
        .filter_map(|(name, value)| value.is_none().then_some(*name))
        .collect();
    if !missing.is_empty() {
        Finding::fail(format!("missing header: {}", missing.join(" and ")))
    } else if !request.repeated_headers.is_empty() {
        Finding::fail(format!(
            "repeated header: {}; it is unknown which value the platform uses",
            request.repeated_headers.join(" and ")
        ))
    } else {
        Finding::pass("POST with both headers")
    }
}

fn check_name(name: &str, script: &str) -> Result<String, String> {
    if name == script {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "registered as `{name}`; expected the name of the start script, `{script}`"
        ))
    }
}

fn check_address(text: &str) -> Result<String, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| format!("`{text}` is not an IP address and port"))?;
    if is_extension_address(address) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "registered {text}; expected 127.0.0.1:8081 to 127.0.0.1:8090"
        ))
    }
}

fn check_listening(address: &str, listens: &std::io::Result<()>) -> Result<String, String> {
    match listens {
        Ok(()) => Ok("accepted a connection when the registration arrived".to_owned()),
        Err(error) => Err(format!(
            "could not connect to {address} when the registration arrived: {error}"
        )),
    }
}

/// Checks REG-06, after everything that could make the extension register again.
pub(crate) fn check_count(booted: &Booted, report: &mut Report) {
    let count = booted.recorder.recorded().registrations().count();
    let finding = match count {
        1 => Finding::pass("registered once"),
        count => Finding::fail(format!(
            "registered {count} times, although the first registration was accepted"
        )),
    };
    report.record(CaseId::Reg06, finding);
}

/// Checks REG-09. Returns the boot if the extension registered.
pub(crate) async fn check_next_boot(
    harness: &Harness<'_>,
    report: &mut Report,
) -> Result<Option<Booted>, Error> {
    let booted = harness.boot(Faults::default()).await?;
    let reason = match booted.start.registered() {
        Ok(registered) => {
            let duration = registered.startup_duration;
            let finding = Finding::pass(format!("registered {duration:.1?} after starting"));
            report.record(CaseId::Reg09, finding);
            return Ok(Some(booted));
        }
        Err(reason) => reason,
    };
    let detail = describe_unregistered(reason, &booted.recorder.recorded());
    report.record(
        CaseId::Reg09,
        Finding::fail(format!("in its second boot: {detail}")),
    );
    report.keep_stderr(&booted.recorder);
    booted.stop(StopMode::Kill).await?;
    Ok(None)
}

/// Checks REG-07, in separate boots.
pub(crate) async fn check_retry(
    harness: &Harness<'_>,
    stop_mode: StopMode,
    report: &mut Report,
) -> Result<(), Error> {
    let faults = [
        ("status 503", Fault::RegisterUnavailable),
        ("a connection reset", Fault::RegisterReset),
    ];
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (description, fault) in faults {
        let faults = Faults::new(0).with(fault, FaultRate::First(1));
        let booted = harness.boot(faults).await?;
        let pause = pause(&booted.recorder.recorded());
        match (&booted.start, pause) {
            (Start::Registered(_), Some(pause)) => {
                good.push(format!("retried {pause:.0?} after {description}"));
            }
            (Start::Registered(_), None) => {
                bad.push(format!("no registration was accepted after {description}"))
            }
            (Start::Exited(Exit { status, .. }), _) => {
                bad.push(format!("{} after {description}", describe_exit(*status)));
            }
            (Start::Unregistered, Some(_)) => {
                bad.push(format!("retried after {description}, but did not register"));
            }
            (Start::NotExecutable(why), _) => bad.push(why.clone()),
            (Start::Unregistered, None) => bad.push(format!(
                "no retry within {QUIET_PERIOD:?} after {description}"
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

/// Returns the time between the first two registrations.
fn pause(recorded: &Recorded) -> Option<Duration> {
    let mut times = recorded.registrations().map(|(_, at)| at);
    let first = times.next()?;
    times.next().map(|second| second - first)
}

/// Checks REG-08, in a separate boot.
pub(crate) async fn check_rejection(
    harness: &Harness<'_>,
    stop_mode: StopMode,
    report: &mut Report,
) -> Result<(), Error> {
    let faults = Faults::new(0).with(Fault::RegisterRejected, FaultRate::Probability(1.0));
    let booted = harness.boot(faults).await?;
    let finding = match &booted.start {
        Start::Exited(Exit { status, .. }) if !status.success() => {
            Finding::pass(format!("{} after status 400", describe_exit(*status)))
        }
        Start::Exited(Exit { status, .. }) => Finding::fail(format!(
            "{} after status 400; expected a non-zero exit status",
            describe_exit(*status)
        )),
        _ => Finding::fail(format!(
            "still running {QUIET_PERIOD:?} after status 400; expected it to exit with a non-zero status"
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
    use super::check_address;

    #[test]
    fn only_addresses_in_the_range_pass() {
        for good in ["127.0.0.1:8081", "127.0.0.1:8090"] {
            check_address(good).unwrap();
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
            check_address(bad).unwrap_err();
        }
    }
}
