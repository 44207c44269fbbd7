//! Registers and subscribes, and records how the platform responds.

use std::time::{Duration, Instant};

use crate::SCRIPT;
use crate::calls::{framing, header_list};
use crate::http::{Received, post};
use crate::row::Row;
use crate::settings::Settings;
use crate::shape::Shape;
use crate::tally::{Spread, Tally, time_class};

/// How long to try, as long as the platform cannot be reached or asks to try again.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait for a response, and for its end.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The responses to the requests of one kind.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    results: Tally,
    statuses: Tally,
    headers: Tally,
    shapes: Tally,
    times: Spread,
    any: bool,
}

impl Responses {
    fn add(&mut self, label: &str, result: &std::io::Result<Received>) {
        self.any = true;
        match result {
            Ok(received) => {
                let Received {
                    status, version, ..
                } = received;
                self.statuses.add(format!("{label}{status}"));
                self.results
                    .add(format!("HTTP/1.{version}, {}", framing(received.framing)));
                self.headers.add(header_list(&received.headers));
                self.shapes
                    .add(format!("{label}`{}`", Shape::of_body(&received.body)));
                self.times.add(received.round_trip);
            }
            Err(error) => self
                .statuses
                .add(format!("{label}no response: {:?}", error.kind())),
        }
    }

    fn time(&self) -> Option<String> {
        self.any.then(|| self.times.to_string())
    }
}

/// What is known about registration and subscription.
#[derive(Debug, Default)]
pub(crate) struct Registration {
    pub(crate) registered_after: Option<Duration>,
    pub(crate) registered: Option<Instant>,
    /// When the first event came. `Some(None)` if it came before the registration was accepted.
    pub(crate) first_event_after: Option<Option<Duration>>,
    registrations: Responses,
    subscriptions: Responses,
    pub(crate) shared_port: Option<bool>,
}

impl Registration {
    pub(crate) fn rows(&self) -> Vec<Row> {
        let of = &self.registrations;
        vec![
            Row::list('D', "status of the response", of.statuses.lines()),
            Row::list(
                'I',
                "its body: is a handler named, is `errorInfo` empty",
                of.shapes.lines(),
            ),
            Row::list('?', "its headers", of.headers.lines()),
            Row::list('?', "its framing", of.results.lines()),
            Row::new('?', "its time", of.time()),
            Row::new(
                '?',
                "time from the start of the process until it is registered",
                self.registered_after.map(class),
            ),
            Row::new(
                'D',
                "events come after the registration: time until the first",
                self.first_event_after.map(|after| {
                    let before = || "before the response to the registration was read".to_owned();
                    after.map_or_else(before, class)
                }),
            ),
        ]
    }

    pub(crate) fn subscription_rows(&self) -> Vec<Row> {
        let of = &self.subscriptions;
        let port = self.shared_port.filter(|_| of.any);
        let port = port.map(|shared| {
            if shared {
                "asked with the extension's own port"
            } else {
                "asked with another port; see the experiment `telemetry-same-port`"
            }
            .to_owned()
        });
        vec![
            Row::list('D', "subscription: status", of.statuses.lines()),
            Row::list('?', "subscription: body of the response", of.shapes.lines()),
            Row::list(
                '?',
                "subscription: headers of the response",
                of.headers.lines(),
            ),
            Row::new('?', "subscription: may the listener share the port", port),
        ]
    }
}

fn class(time: Duration) -> String {
    time_class(time).to_owned()
}

/// Registers. Returns whether the platform has accepted; `record` is called with each response.
pub(crate) async fn register(
    settings: &Settings,
    record: impl Fn(&dyn Fn(&mut Registration)),
) -> bool {
    let address = format!("127.0.0.1:{}", settings.port);
    if settings.experiments.bad_registration {
        for (label, name, address) in [
            ("unknown name: ", "extensionUnknown.sh", address.as_str()),
            ("port out of range: ", SCRIPT, "127.0.0.1:9"),
        ] {
            let result = in_time(send(settings, name, address)).await;
            record(&|it| it.registrations.add(label, &result));
        }
    }
    retry(
        || send(settings, SCRIPT, &address),
        |result| record(&|it| it.registrations.add("", result)),
    )
    .await
}

/// Subscribes to all types of telemetry.
pub(crate) async fn subscribe(
    settings: &Settings,
    record: impl Fn(&dyn Fn(&mut Registration)),
) -> bool {
    let shared = settings.experiments.telemetry_same_port;
    let port = if shared {
        settings.port
    } else {
        settings.telemetry_port
    };
    record(&|it| it.shared_port = Some(shared));
    let body = format!(
        r#"{{"subscriber": {{"protocol": "POST", "uri": "http://127.0.0.1:{port}"}}, "types": ["platform", "function", "extension"]}}"#
    );
    let headers = [("Content-Type", "application/json")];
    let request = || post(&settings.platform, "/telemetry", &headers, &body);
    retry(request, |result| {
        record(&|it| it.subscriptions.add("", result))
    })
    .await
}

async fn send(settings: &Settings, name: &str, address: &str) -> std::io::Result<Received> {
    let headers = [
        ("Content-Type", "application/json"),
        ("FunctionGraph-Extension-Name", name),
        ("FunctionGraph-Extension-Address", address),
    ];
    post(&settings.platform, "/extension/register", &headers, "").await
}

/// Waits for a response, at most for [`TIMEOUT`].
async fn in_time<T>(request: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    let result = tokio::time::timeout(TIMEOUT, request).await;
    result.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

/// Sends a request until it is accepted or rejected. Returns whether it was accepted.
async fn retry<F: Future<Output = std::io::Result<Received>>>(
    request: impl Fn() -> F,
    record: impl Fn(&std::io::Result<Received>),
) -> bool {
    let started = Instant::now();
    let mut pause = Duration::from_millis(50);
    loop {
        let result = in_time(request()).await;
        record(&result);
        match result {
            Ok(received) if received.status == 200 => return !is_rejection(&received.body),
            Ok(received) if received.status < 500 && ![408, 429].contains(&received.status) => {
                return false;
            }
            _ if started.elapsed() + pause > PATIENCE => return false,
            _ => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Whether a response with status 200 has an `errorInfo` that is not empty (I).
fn is_rejection(body: &[u8]) -> bool {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &body["errorInfo"];
    let is_set = |field: &str| {
        error[field]
            .as_str()
            .is_some_and(|text| !text.trim().is_empty())
    };
    is_set("errorType") || is_set("errorMessage")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_info_is_a_rejection() {
        assert!(is_rejection(
            br#"{"errorInfo": {"errorType": "E", "errorMessage": ""}}"#
        ));
        assert!(!is_rejection(
            br#"{"errorInfo": {"errorType": "", "errorMessage": ""}}"#
        ));
        assert!(!is_rejection(b""));
    }
}
