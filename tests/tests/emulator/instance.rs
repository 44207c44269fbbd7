//! [`Instance`]: a platform with one extension, where the test itself receives the telemetry on plain sockets.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use fg_emulator::{Event, ExtensionCommand, Platform, PortLease};
use fg_extension_tests::{Response, golden, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use super::processes::TIMEOUT;

/// A platform with the registered extension `foreign`, and a port on which the test can subscribe to telemetry.
pub(crate) struct Instance {
    pub(crate) platform: Platform,
    pub(crate) listener: Option<TcpListener>,
    pub(crate) port: u16,
    /// The events that the observer was called with, as text.
    pub(crate) reports: watch::Receiver<Vec<String>>,
    pub(crate) _leases: (PortLease, PortLease),
}

impl Instance {
    pub(crate) async fn start() -> Self {
        Self::asserting(|_| {}).await
    }

    /// Starts an instance whose observer checks an assertion on each event.
    pub(crate) async fn asserting(assertion: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        let mut instance = Self::without_listener(assertion).await;
        let address = (Ipv4Addr::LOCALHOST, instance.port);
        instance.listener = Some(TcpListener::bind(address).await.unwrap());
        instance
    }

    /// Starts an instance without a listener on its telemetry port.
    pub(crate) async fn without_listener(
        assertion: impl Fn(&Event) + Send + Sync + 'static,
    ) -> Self {
        let leases = tokio::task::spawn_blocking(PortLease::acquire_pair);
        let leases = leases.await.unwrap().unwrap();
        let port = leases.1.port();
        let (sender, reports) = watch::channel(Vec::new());
        let platform = Platform::builder().observer(move |event| {
            assertion(event);
            let text = match event {
                Event::Subscribed(subscription) => format!("subscribed {}", subscription.uri),
                Event::TelemetryDelivered { events, status, .. } => format!("{events}: {status}"),
                Event::TelemetryLost { events, reason, .. } => format!("{events} lost: {reason}"),
                Event::Rejected { error_message, .. } => format!("rejected: {error_message}"),
                Event::Output(line) => format!("printed {}", line.text),
                _ => return,
            };
            sender.send_modify(|reports| reports.push(text));
        });
        let platform = platform.start().await.unwrap();
        let boot = ExtensionCommand::new("extensionForeign.sh", env!("CARGO_BIN_EXE_foreign"))
            .env("FG_EXTENSION_PORT", leases.0.port().to_string());
        platform.boot(boot).await.unwrap();
        Self {
            platform,
            listener: None,
            port,
            reports,
            _leases: leases,
        }
    }

    pub(crate) async fn subscribed(types: &[&str]) -> Self {
        let instance = Self::start().await;
        let response = instance.subscribe(types);
        assert_eq!((response.status, error_of(&response)), (200, String::new()));
        instance
    }

    pub(crate) fn subscribe(&self, types: &[&str]) -> Response {
        let mut body = golden("telemetry-subscription.json");
        body["subscriber"]["uri"] = format!("http://127.0.0.1:{}", self.port).into();
        body["types"] = json!(types);
        post(
            self.platform.address().port(),
            "/telemetry",
            body.to_string(),
        )
    }

    /// Receives one POST, responds with the status, and returns the body.
    pub(crate) async fn receive(&self, status: &str) -> String {
        let (mut stream, body) = self.accept().await;
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        body
    }

    /// Receives `count` events, in any number of batches.
    pub(crate) async fn events(&self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            let batch = self.receive("200 OK").await;
            events.extend(serde_json::from_str::<Vec<_>>(&batch).unwrap());
        }
        assert_eq!(events.len(), count, "{events:?}");
        events
    }

    pub(crate) async fn accept(&self) -> (TcpStream, String) {
        let (stream, _) = timeout(TIMEOUT, self.listener.as_ref().unwrap().accept())
            .await
            .unwrap()
            .unwrap();
        let stream = stream.into_std().unwrap();
        tokio::task::spawn_blocking(|| read(stream)).await.unwrap()
    }

    /// Waits until this line was reported.
    pub(crate) async fn wait_for_report(&self, text: &str) {
        let mut reports = self.reports.clone();
        let reported = reports.wait_for(|reports| reports.iter().any(|line| line == text));
        let reported = timeout(TIMEOUT, reported).await.is_ok();
        assert!(
            reported,
            "`{text}` was not reported: {:?}",
            self.reports.borrow()
        );
    }

    /// Returns the reported lines except for the output of processes.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let reports = self.reports.borrow();
        reports
            .iter()
            .filter(|line| !line.starts_with("printed"))
            .cloned()
            .collect()
    }
}

/// Reads a POST to `/`, and returns the body.
fn read(stream: TcpStream) -> (TcpStream, String) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_ascii_lowercase()
    };
    assert_eq!(line(), "post / http/1.1");
    let mut head = BTreeMap::new();
    while let Some((name, value)) = line().split_once(": ") {
        head.insert(name.to_owned(), value.to_owned());
    }
    assert_eq!(head["content-type"], "application/json");
    let mut body = vec![0; head["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    (reader.into_inner(), String::from_utf8(body).unwrap())
}

/// Returns the error message in `errorInfo`.
pub(crate) fn error_of(response: &Response) -> String {
    let error = &response.json()["errorInfo"]["errorMessage"];
    error.as_str().unwrap().to_owned()
}
