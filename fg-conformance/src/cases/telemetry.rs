//! TEL: the subscription to telemetry, and batches with irregular and unknown events.

use std::time::Duration;

use fg_emulator::{Platform, Subscription};
use hyper::Uri;
use tokio::time::timeout;

use super::{CaseId, Group};
use crate::harness::client::post;
use crate::harness::{CallRecorder, Recorded};
use crate::port_owner::ports_in_use;
use crate::report::{Finding, Report};

const SUBSCRIBE_PATH: &str = "/telemetry";
/// How long the check waits for a subscription after the registration.
const SUBSCRIBES_WITHIN: Duration = Duration::from_secs(10);
/// A subscription that comes later after the registration is a warning.
const EXPECTED_WITHIN: Duration = Duration::from_secs(2);
/// How long TEL-04 counts batches, and how many of them are a warning. The lines that the extension has printed for the batches
/// of the other cases may still be delivered, in one or two batches.
const FEEDBACK_WITHIN: Duration = Duration::from_secs(1);
const FEEDBACK_BATCHES: usize = 4;
/// The minimum time to wait for a subscription, and the time to wait for the response to it.
const MIN_WAIT: Duration = Duration::from_millis(500);

/// A batch of telemetry to post.
struct Batch {
    description: &'static str,
    body: &'static str,
    if_rejected: IfRejected,
}

/// What a 4xx status for a batch means.
#[derive(Clone, Copy, Eq, PartialEq)]
enum IfRejected {
    Fail,
    Warn,
    /// The batch is probably a mistake on the page, so an extension may do either.
    Pass,
}

/// Batches with the irregularities of the examples on page 2713.
const QUIRKS: [Batch; 4] = [
    Batch {
        description: "`platform.RuntimeDone`, with a capital R",
        body: r#"[{"name": "platform.start", "startTime": "2024-01-01T00:00:00.000Z", "traceId": "check"},
            {"name": "platform.RuntimeDone", "startTime": "2024-01-01T00:00:00.000Z", "traceId": "check", "status": "success"},
            {"name": "platform.report", "startTime": "2024-01-01T00:00:00.000Z", "endTime": "2024-01-01T00:00:01.000Z",
                "traceId": "check", "status": "success", "metrics": {"durationMs": 1000.5}}]"#,
        if_rejected: IfRejected::Fail,
    },
    Batch {
        description: "stray spaces inside strings",
        body: r#"[{"name": "platform.initStart ", "startTime": " 2024-01-01T00:00:00.000Z", "traceId": "check "},
            {"name": "platform.initRuntimeDone ", "startTime": "2024-01-01T00:00:00.000Z ", "traceId": "check", "status": " success "}]"#,
        if_rejected: IfRejected::Fail,
    },
    Batch {
        description: "the subtypes of a restoration",
        body: r#"[{"name": "platform.restoreStart", "startTime": "2024-01-01T00:00:00.000Z", "traceId": "check"},
            {"name": "platform.restoreRuntimeDone", "startTime": "2024-01-01T00:00:00.000Z", "traceId": "check", "status": "success"},
            {"name": "platform.restoreReport", "startTime": "2024-01-01T00:00:00.000Z", "endTime": "2024-01-01T00:00:01.000Z",
                "traceId": "check", "status": "success", "metrics": {"durationMs": 12}}]"#,
        if_rejected: IfRejected::Fail,
    },
    Batch {
        description: "trailing commas",
        body: r#"[{"name": "platform.start", "startTime": "2024-01-01T00:00:00.000Z", "traceId": "check",},]"#,
        // This is not JSON. Most likely the commas are a mistake on the page, and the platform does not send them.
        if_rejected: IfRejected::Pass,
    },
];

/// Batches with events that are not documented, then a documented one.
const UNKNOWN: [Batch; 5] = [
    Batch {
        description: "an unknown subtype",
        body: r#"[{"name": "platform.unknownSubtype", "startTime": "2024-01-01T00:00:00.000Z", "traceId": "check", "depth": 3}]"#,
        if_rejected: IfRejected::Fail,
    },
    Batch {
        description: "an unknown type",
        body: r#"[{"time": "2024-01-01T00:00:00.000Z", "type": "unknown", "record": "text"}]"#,
        if_rejected: IfRejected::Fail,
    },
    Batch {
        description: "records of several shapes",
        body: r#"[{"time": "2024-01-01T00:00:00.000Z", "type": "function", "record": "a line"},
            {"time": "2024-01-01T00:00:00.000Z", "type": "function", "record": {"requestId": "check", "status": "ok"}},
            {"time": "2024-01-01T00:00:00.000Z", "type": "extension", "record": ["a", 1, null]},
            {"type": "function"}]"#,
        if_rejected: IfRejected::Fail,
    },
    Batch {
        description: "elements that are not objects",
        body: r#"["text", 7, null, []]"#,
        // It is unknown whether the platform ever sends such elements.
        if_rejected: IfRejected::Warn,
    },
    Batch {
        description: "a documented event after the unknown ones",
        body: r#"[{"name": "platform.start", "startTime": "2024-01-01T00:00:00.000Z", "traceId": "check"}]"#,
        if_rejected: IfRejected::Fail,
    },
];

/// Checks TEL-01 to TEL-04, on an extension that is registered and has been invoked.
pub(crate) async fn check_telemetry(
    platform: &Platform,
    recorder: &CallRecorder,
    report: &mut Report,
) {
    let has_request = |recorded: &Recorded| {
        let mut requests = recorded.requests.iter();
        requests.any(|(request, _)| request.path == SUBSCRIBE_PATH)
    };
    let registered = recorder.recorded().registrations().next().map(|(_, at)| at);
    let waited = registered.map_or(Duration::ZERO, |at| at.elapsed());
    let time_limit = SUBSCRIBES_WITHIN.saturating_sub(waited).max(MIN_WAIT);
    if timeout(time_limit, recorder.until(has_request))
        .await
        .is_err()
    {
        let mut why = format!(
            "the extension did not subscribe to telemetry within {SUBSCRIBES_WITHIN:?} of its registration"
        );
        let in_use = ports_in_use(&recorder.recorded().stderr.join("\n"));
        if !in_use.is_empty() {
            why += &format!("; {}", in_use.join(", "));
        }
        report.skip(|case| case.id.group() == Group::Telemetry, &why);
        return;
    }
    // The request is recorded before the platform responds to it.
    let has_response =
        |recorded: &Recorded| recorded.subscription.is_some() || rejected(recorded).is_some();
    let _ = timeout(MIN_WAIT, recorder.until(has_response)).await;
    report.record(CaseId::Tel01, check_subscription(platform, recorder).await);
    let subscription = recorder.recorded().subscription.clone();
    match subscription {
        Some(subscription) if !report.is_failed(CaseId::Tel01) => {
            report.record(CaseId::Tel02, post_batches(&subscription, &QUIRKS).await);
            report.record(CaseId::Tel03, post_batches(&subscription, &UNKNOWN).await);
            report.record(CaseId::Tel04, check_feedback(recorder).await);
        }
        _ => report.block_dependents(CaseId::Tel01),
    }
}

/// Returns why the subscription was rejected.
fn rejected(recorded: &Recorded) -> Option<String> {
    let mut rejected = recorded.rejected.iter();
    let (_, why) = rejected.find(|(path, _)| path == SUBSCRIBE_PATH)?;
    Some(why.clone())
}

async fn check_subscription(platform: &Platform, recorder: &CallRecorder) -> Finding {
    if let Some(why) = rejected(&recorder.recorded()) {
        return Finding::fail(format!("the subscription was rejected: {why}"));
    }
    // An invocation produces telemetry.
    if let Err(error) = platform.invoke().await {
        return Finding::fail(error.to_string());
    }
    platform.wait_for_telemetry().await;
    let recorded = recorder.recorded();
    if let Some(why) = recorded.lost.first() {
        return Finding::fail(format!(
            "the telemetry of an invocation was not delivered: {why}"
        ));
    }
    let Some(subscription) = &recorded.subscription else {
        return Finding::fail("there was no response to the subscription");
    };
    let registered = recorded.registrations().next();
    let subscribed = recorded
        .requests
        .iter()
        .find(|(request, _)| request.path == SUBSCRIBE_PATH);
    if let (Some((_, registered)), Some((_, subscribed))) = (registered, subscribed)
        && *subscribed - registered > EXPECTED_WITHIN
    {
        let after = *subscribed - registered;
        return Finding::warn(format!(
            "subscribed {after:.1?} after it registered, so it does not receive the telemetry of the first invocations"
        ));
    }
    let types: Vec<_> = subscription.types.iter().map(ToString::to_string).collect();
    Finding::pass(format!(
        "subscribed {} to {}; batches delivered: {}",
        subscription.uri,
        types.join(", "),
        recorded.delivered
    ))
}

/// Checks TEL-04: counts the batches that are delivered although nothing happens.
async fn check_feedback(recorder: &CallRecorder) -> Finding {
    let before = recorder.recorded().delivered;
    let goal = before + FEEDBACK_BATCHES;
    let delivered = recorder.until(|recorded| recorded.delivered >= goal);
    let _ = timeout(FEEDBACK_WITHIN, delivered).await;
    let batches = recorder.recorded().delivered - before;
    if batches < FEEDBACK_BATCHES {
        return Finding::pass(format!(
            "batches within {FEEDBACK_WITHIN:?} without an invocation: {batches}"
        ));
    }
    Finding::warn(format!(
        "{batches} batches were delivered within {FEEDBACK_WITHIN:?} although nothing happened: its own output is \
         delivered to it as telemetry, and it seems to print a line for each batch"
    ))
}

async fn post_batches(subscription: &Subscription, batches: &[Batch]) -> Finding {
    let Some((address, path)) = target(subscription) else {
        return Finding::fail(format!(
            "cannot post to `{}`: not a URI with an address",
            subscription.uri
        ));
    };
    let (mut warning, mut note) = (None, String::new());
    for Batch {
        description,
        body,
        if_rejected,
    } in batches
    {
        // The constants span several lines; a platform sends one line.
        let body: String = body.lines().map(str::trim_start).collect();
        let problem = match post(address, &path, body).await {
            Ok(response) if (200..300).contains(&response.status) => continue,
            Ok(response)
                if *if_rejected != IfRejected::Fail && (400..500).contains(&response.status) =>
            {
                let rejected =
                    format!("{description}: rejected with status {}", response.summary());
                match if_rejected {
                    IfRejected::Pass => note = format!("; {rejected}"),
                    _ => warning = Some(rejected),
                }
                continue;
            }
            Ok(response) => format!("expected a 2xx status, got {}", response.summary()),
            Err(error) => error.to_string(),
        };
        return Finding::fail(format!("{description}: {problem}"));
    }
    match warning {
        Some(warning) => Finding::warn(warning),
        None if note.is_empty() => Finding::pass(format!("acknowledged {} batches", batches.len())),
        None => Finding::pass(format!("acknowledged the batches that are JSON{note}")),
    }
}

fn target(subscription: &Subscription) -> Option<(std::net::SocketAddr, String)> {
    let uri: Uri = subscription.uri.parse().ok()?;
    let address = uri.authority()?.as_str().parse().ok()?;
    Some((address, uri.path_and_query()?.as_str().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{QUIRKS, UNKNOWN};

    #[test]
    fn all_batches_but_one_are_json() {
        for batch in QUIRKS.iter().chain(&UNKNOWN) {
            let json = serde_json::from_str::<serde_json::Value>(batch.body);
            assert_eq!(
                json.is_err(),
                batch.description == "trailing commas",
                "{}",
                batch.description
            );
        }
    }
}
