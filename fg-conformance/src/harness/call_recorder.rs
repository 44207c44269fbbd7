//! [`CallRecorder`]: records the events of the platform during one boot.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fg_emulator::{ApiRequest, Event, OutputLine, OutputStream, Subscription};
use tokio::sync::watch;
use tokio::time::timeout;

/// How many lines of standard error are kept; older ones are dropped.
pub(crate) const MAX_STDERR_LINES: usize = 20;
const REGISTER_PATH: &str = "/extension/register";

/// Observes a platform, records its events, and wakes tasks that wait for more.
#[derive(Default)]
pub(crate) struct CallRecorder {
    recorded: Mutex<Recorded>,
    changed: watch::Sender<()>,
}

/// The recorded events.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) requests: Vec<(ApiRequest, Instant)>,
    /// Whether the address of the first registration accepted a connection when the registration arrived.
    pub(crate) listens: Option<std::io::Result<()>>,
    /// The path and the error message of each rejected request.
    pub(crate) rejected: Vec<(String, String)>,
    pub(crate) subscription: Option<Subscription>,
    /// How many batches of telemetry were delivered.
    pub(crate) delivered: usize,
    /// Why batches of telemetry were lost.
    pub(crate) lost: Vec<String>,
    /// The last lines of standard error.
    pub(crate) stderr: Vec<String>,
}

impl Recorded {
    /// Iterates over the registrations and their times of arrival.
    pub(crate) fn registrations(&self) -> impl Iterator<Item = (&ApiRequest, Instant)> {
        let requests = self.requests.iter();
        let registrations = requests.filter(|(request, _)| request.path == REGISTER_PATH);
        registrations.map(|(request, at)| (request, *at))
    }

    /// Returns the address in the first registration.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let (request, _) = self.registrations().next()?;
        address(request)
    }

    /// Returns the addresses that the extension has registered or subscribed.
    pub(crate) fn known_addresses(&self) -> Vec<SocketAddr> {
        // A subscription that is rejected is not a failure of the listener.
        let subscribed = self.requests.iter().filter_map(|(request, _)| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
            let uri: hyper::Uri = body["subscriber"]["uri"].as_str()?.parse().ok()?;
            uri.authority()?.as_str().parse().ok()
        });
        self.address().into_iter().chain(subscribed).collect()
    }
}

/// Returns the address in a registration if it is a loopback address, so that it can only be the extension.
fn address(request: &ApiRequest) -> Option<SocketAddr> {
    let address: SocketAddr = request.address.as_ref()?.parse().ok()?;
    address.ip().is_loopback().then_some(address)
}

impl CallRecorder {
    /// Records an event. This is the observer of the platform.
    pub(crate) fn observe(&self, event: &Event) {
        match event {
            Event::ApiRequest(request) => self.record_request(request),
            Event::Rejected {
                path,
                error_message,
                ..
            } => self.record(|recorded| {
                recorded
                    .rejected
                    .push((path.clone(), error_message.clone()));
            }),
            Event::Subscribed(subscription) => {
                self.record(|recorded| recorded.subscription = Some(subscription.clone()));
            }
            Event::TelemetryDelivered { .. } => self.record(|recorded| recorded.delivered += 1),
            Event::TelemetryLost { reason, .. } => {
                self.record(|recorded| recorded.lost.push(reason.clone()));
            }
            Event::Output(OutputLine {
                stream: OutputStream::Stderr,
                text,
                ..
            }) => self.record(|recorded| {
                recorded.stderr.push(text.clone());
                if recorded.stderr.len() > MAX_STDERR_LINES {
                    recorded.stderr.remove(0);
                }
            }),
            _ => {}
        }
    }

    fn record_request(&self, request: &ApiRequest) {
        let is_first =
            request.path == REGISTER_PATH && self.recorded().registrations().next().is_none();
        // The platform has not responded yet, so this tests whether the extension listens before it registers.
        let listens = address(request)
            .filter(|_| is_first)
            .map(|address| TcpStream::connect_timeout(&address, Duration::from_secs(1)).map(drop));
        self.record(|recorded| {
            recorded.requests.push((request.clone(), Instant::now()));
            if listens.is_some() {
                recorded.listens = listens;
            }
        });
    }

    fn record(&self, record: impl FnOnce(&mut Recorded)) {
        record(&mut self.recorded());
        self.changed.send_replace(());
    }

    pub(crate) fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the condition holds.
    pub(crate) async fn until(&self, mut condition: impl FnMut(&Recorded) -> bool) {
        let mut changed = self.changed.subscribe();
        while !condition(&self.recorded()) {
            // This cannot fail, because `self` owns the sender.
            let _ = changed.changed().await;
        }
    }

    /// Waits until there has been a registration, and then no other one for this long.
    pub(crate) async fn until_quiet(&self, pause: Duration) {
        let mut known = 0;
        while known == 0
            || timeout(pause, self.until_registered_again(known))
                .await
                .is_ok()
        {
            self.until_registered_again(known).await;
            known = self.recorded().registrations().count();
        }
    }

    async fn until_registered_again(&self, known: usize) {
        self.until(|recorded| recorded.registrations().count() > known)
            .await;
    }
}
