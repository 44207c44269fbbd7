//! REG: what a registration looks like, and what comes of one that fails.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fg_emulator::{ApiRequest, Fault, FaultRate, Faults};

use super::boots::{Booted, Boots, Ended, QUIET, Start};
use super::report::{Finding, Report};
use super::watch::Seen;

/// Without these, nothing else can be tried.
pub(super) const NEEDED: [&str; 4] = ["REG-01", "REG-02", "REG-03", "REG-04"];

/// REG-01 to 05, of what was seen of a boot.
pub(super) fn first(booted: &Booted, script: &str, report: &mut Report) {
    let seen = booted.watch.seen();
    let Some((call, _)) = seen.registrations().next() else {
        report.tell("REG-01", Finding::fail(unregistered(&booted.start, &seen)));
        report.prevent("REG-01", &["REG-"]);
        return;
    };
    report.tell("REG-02", headers(call));
    match (&call.name, &call.address) {
        (Some(name), Some(address)) => {
            report.tell("REG-03", script_name(name, script));
            report.tell("REG-04", in_range(address));
            if report.failed(&["REG-04"]).is_some() {
                report.prevent("REG-04", &["REG-05"]);
            }
        }
        _ => report.prevent("REG-02", &["REG-03", "REG-04", "REG-05"]),
    }
    match &seen.listens {
        // It has no address that could be connected to, which the others tell.
        None => {}
        Some(Ok(())) => report.tell("REG-05", Finding::pass("connected when its call came")),
        Some(Err(error)) => {
            let address = call.address.as_deref().unwrap_or_default();
            let detail = format!("when its call came, nobody listened at {address}: {error}");
            report.tell("REG-05", Finding::fail(detail));
        }
    }
    let first = match &booted.start {
        Start::Registered(registered) => Finding::pass(format!(
            "registered {:.1?} after its start",
            registered.startup_duration
        )),
        // Why it was not accepted is told by the others.
        _ if report.failed(&NEEDED).is_some() => Finding::pass("called in time"),
        _ => Finding::fail(unregistered(&booted.start, &seen)),
    };
    report.tell("REG-01", first);
    if let Some(culprit) = report.failed(&NEEDED) {
        report.prevent(culprit, &["REG-"]);
    }
}

fn unregistered(start: &Start, seen: &Seen) -> String {
    let how = match start {
        Start::Ended(Ended { status, .. }) => {
            format!("it ended with {status} before it registered")
        }
        _ => "it did not register".to_owned(),
    };
    let others = seen
        .calls
        .iter()
        .map(|(call, _)| format!("{} {}", call.method, call.path));
    let others: Vec<_> = others.collect();
    match (&others[..], seen.refused.last()) {
        ([], _) => how,
        (others, None) => format!("{how}; it called {}", others.join(", ")),
        (others, Some((_, why))) => format!("{how}; it called {}: {why}", others.join(", ")),
    }
}

fn headers(call: &ApiRequest) -> Result<String, String> {
    if call.method != "POST" {
        return Err(format!("it called by {}", call.method));
    }
    let headers = [
        ("FunctionGraph-Extension-Name", &call.name),
        ("FunctionGraph-Extension-Address", &call.address),
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
    if address.ip() == Ipv4Addr::LOCALHOST && (8081..=8090).contains(&address.port()) {
        Ok(text.to_owned())
    } else {
        Err(format!("it registers {text}"))
    }
}

/// REG-06, once all that it would call for is over.
pub(super) fn count(booted: &Booted, report: &mut Report) {
    let calls = booted.watch.seen().registrations().count();
    let finding = match calls {
        1 => Finding::pass("1 call"),
        calls => Finding::fail(format!(
            "{calls} calls, of which the first was answered with 200"
        )),
    };
    report.tell("REG-06", finding);
}

/// REG-07, in boots of its own.
pub(super) async fn retries(
    boots: &Boots<'_>,
    in_order: bool,
    report: &mut Report,
) -> anyhow::Result<()> {
    let faults = [
        ("a 503", Fault::RegisterUnavailable),
        ("a reset", Fault::RegisterReset),
    ];
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (what, fault) in faults {
        let booted = boots
            .boot(Faults::new(0).with(fault, FaultRate::First(1)))
            .await?;
        match (&booted.start, pause(&booted.watch.seen())) {
            (Start::Registered(_), Some(pause)) => {
                good.push(format!("after {what} again in {pause:.0?}"));
            }
            (Start::Registered(_), None) => bad.push(format!("after {what} it was never accepted")),
            (Start::Ended(Ended { status, .. }), _) => {
                bad.push(format!("after {what} it ended with {status}"));
            }
            (Start::Neither, Some(_)) => bad.push(format!("after {what} it was not registered")),
            (Start::Neither, None) => {
                bad.push(format!("after {what} it did not try again in {QUIET:?}"));
            }
        }
        report.heard(&booted.watch, !bad.is_empty());
        booted.end(in_order).await?;
    }
    let result = if bad.is_empty() {
        Ok(good.join(", "))
    } else {
        Err(bad.join("; "))
    };
    report.tell("REG-07", result);
    Ok(())
}

/// Between the first two registrations.
fn pause(seen: &Seen) -> Option<Duration> {
    let mut calls = seen.registrations().map(|(_, at)| at);
    let first = calls.next()?;
    calls.next().map(|second| second - first)
}

/// REG-08, in a boot of its own.
pub(super) async fn refusal(
    boots: &Boots<'_>,
    in_order: bool,
    report: &mut Report,
) -> anyhow::Result<()> {
    let faults = Faults::new(0).with(Fault::RegisterRejected, FaultRate::Probability(1.0));
    let booted = boots.boot(faults).await?;
    let finding = match &booted.start {
        Start::Ended(Ended { status, .. }) if !status.success() => {
            Finding::pass(format!("refused with 400, it ended with {status}"))
        }
        Start::Ended(Ended { status, .. }) => {
            Finding::fail(format!("refused with 400, it ended with {status}"))
        }
        _ => Finding::fail(format!(
            "refused with 400, it went on for {QUIET:?} and longer"
        )),
    };
    report.heard(&booted.watch, finding.is_fail());
    report.tell("REG-08", finding);
    booted.end(in_order).await
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
