//! What is seen of a platform on which the extension is booted.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fg_emulator::{ApiRequest, Event, OutputLine, OutputStream, Subscription};
use tokio::time::timeout;

/// How many lines of its standard error are kept: the last ones.
pub(super) const KEPT_LINES: usize = 20;
const REGISTER: &str = "/extension/register";

/// All that was seen, and whoever waits for more.
#[derive(Default)]
pub(super) struct Watch {
    seen: Mutex<Seen>,
    changed: tokio::sync::watch::Sender<()>,
}

#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) calls: Vec<(ApiRequest, Instant)>,
    /// Whether anybody listened where the first registration said, when it came.
    pub(super) listens: Option<std::io::Result<()>>,
    /// Refused calls: path, and why.
    pub(super) refused: Vec<(String, String)>,
    pub(super) subscription: Option<Subscription>,
    /// Batches of telemetry that were taken, and why others were not.
    pub(super) delivered: usize,
    pub(super) lost: Vec<String>,
    /// The last lines of standard error.
    pub(super) stderr: Vec<String>,
}

impl Seen {
    /// The registrations, with when each came.
    pub(super) fn registrations(&self) -> impl Iterator<Item = (&ApiRequest, Instant)> {
        let calls = self.calls.iter().filter(|(call, _)| call.path == REGISTER);
        calls.map(|(call, at)| (call, *at))
    }

    /// Where the first registration says that it listens.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.registrations()
            .next()
            .and_then(|(call, _)| address(call))
    }
}

/// The address of a registration, if anybody but the extension cannot be meant by it.
fn address(call: &ApiRequest) -> Option<SocketAddr> {
    let address: SocketAddr = call.address.as_ref()?.parse().ok()?;
    address.ip().is_loopback().then_some(address)
}

impl Watch {
    /// For the platform's observer.
    pub(super) fn observe(&self, event: &Event) {
        match event {
            Event::ApiRequest(call) => self.called(call),
            Event::Rejected {
                path,
                error_message,
                ..
            } => self.change(|seen| seen.refused.push((path.clone(), error_message.clone()))),
            Event::Subscribed(subscription) => {
                self.change(|seen| seen.subscription = Some(subscription.clone()));
            }
            Event::TelemetryDelivered { .. } => self.change(|seen| seen.delivered += 1),
            Event::TelemetryLost { reason, .. } => {
                self.change(|seen| seen.lost.push(reason.clone()));
            }
            Event::Output(OutputLine {
                stream: OutputStream::Stderr,
                text,
                ..
            }) => self.change(|seen| {
                seen.stderr.push(text.clone());
                if seen.stderr.len() > KEPT_LINES {
                    seen.stderr.remove(0);
                }
            }),
            _ => {}
        }
    }

    fn called(&self, call: &ApiRequest) {
        let is_first = call.path == REGISTER && self.seen().registrations().next().is_none();
        // The call is not answered yet: whoever registers must be listening by now.
        let listens = address(call)
            .filter(|_| is_first)
            .map(|address| TcpStream::connect_timeout(&address, Duration::from_secs(1)).map(drop));
        self.change(|seen| {
            seen.calls.push((call.clone(), Instant::now()));
            if listens.is_some() {
                seen.listens = listens;
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen());
        self.changed.send_replace(());
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this is so.
    pub(super) async fn until(&self, mut is_so: impl FnMut(&Seen) -> bool) {
        let mut changed = self.changed.subscribe();
        while !is_so(&self.seen()) {
            // It cannot fail: the sender is ours.
            let _ = changed.changed().await;
        }
    }

    /// Waits until there was a registration, and no other for this long.
    pub(super) async fn quiet(&self, pause: Duration) {
        let mut known = 0;
        while known == 0 || timeout(pause, self.registered_again(known)).await.is_ok() {
            self.registered_again(known).await;
            known = self.seen().registrations().count();
        }
    }

    async fn registered_again(&self, known: usize) {
        self.until(|seen| seen.registrations().count() > known)
            .await;
    }
}
