//! Finds extensions that need a port that is in use, a second subscriber to telemetry, and a subscriber that is late.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fg_conformance::port_owner::{PortOwner, port_owner, ports_named_in_use};
use fg_emulator::{ApiRequest, Event, PORT_RANGE};
use nix::unistd::{Pid, getpgid};
use serde_json::Value;
use tokio::sync::Notify;

/// The path of a subscription (D 2710).
const SUBSCRIPTION: &str = "/telemetry";

/// The conflicts between the extensions of an instance, and with other processes.
///
/// An extension of this framework continues without telemetry if its telemetry port is in use or if another extension has
/// subscribed. On the platform nobody would notice, so `dev` reports it.
#[derive(Default)]
pub(crate) struct Conflicts {
    state: Mutex<State>,
    found: Notify,
}

#[derive(Default)]
struct State {
    /// The script name of each process group.
    groups: BTreeMap<i32, String>,
    /// The port of each registered extension.
    registered: BTreeMap<String, u16>,
    /// Conflicts of extensions that have not registered. If one of them exits instead, its boot fails.
    pending: BTreeMap<String, String>,
    /// The URIs of all requests for a subscription, in their order.
    requested: Vec<String>,
    /// The URI and, if it is known, the script name of the subscriber.
    subscribed: Option<(String, Option<String>)>,
    /// The conflicts that have been found and not been returned.
    unreported: Vec<String>,
    reported: BTreeSet<String>,
}

impl Conflicts {
    /// Records the process group of an extension, so that it can be named.
    pub(crate) fn add_extension(&self, script: &str, process_group: Option<u32>) {
        if let Some(group) = process_group.and_then(|group| i32::try_from(group).ok()) {
            self.state().groups.insert(group, script.to_owned());
        }
    }

    /// Looks for a conflict in an event of the platform.
    pub(crate) fn observe(&self, event: &Event) {
        let mut state = self.state();
        match event {
            Event::Registered {
                script, address, ..
            } => {
                state.registered.insert(script.clone(), address.port());
                if let Some(conflict) = state.pending.remove(script) {
                    state.report(conflict);
                }
            }
            Event::Output(line) => {
                let Some(conflict) = state.port_conflict(&line.script, &line.text) else {
                    return;
                };
                if state.registered.contains_key(&line.script) {
                    state.report(conflict);
                } else {
                    state.pending.insert(line.script.clone(), conflict);
                }
            }
            Event::ApiRequest(ApiRequest { path, body, .. }) if path == SUBSCRIPTION => {
                let body: Value = serde_json::from_slice(body).unwrap_or_default();
                let uri = body["subscriber"]["uri"].as_str().map(str::to_owned);
                state.requested.extend(uri);
            }
            Event::Subscribed(subscription) => {
                let uri = &subscription.uri;
                state.subscribed = Some((uri.clone(), state.subscriber(uri)));
            }
            Event::Rejected {
                path,
                error_message,
                ..
            } if path == SUBSCRIPTION && error_message.contains("already subscribed") => {
                if let Some(conflict) = state.second_subscriber() {
                    state.report(conflict);
                }
            }
            _ => return,
        }
        if !state.unreported.is_empty() {
            drop(state);
            self.found.notify_one();
        }
    }

    /// Waits for a conflict that has not been returned, and returns its description.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no conflict is lost.
    pub(crate) async fn next(&self) -> String {
        loop {
            if let Some(conflict) = self.take() {
                return conflict;
            }
            self.found.notified().await;
        }
    }

    /// Returns the first conflict that has not been returned.
    pub(crate) fn take(&self) -> Option<String> {
        let mut state = self.state();
        (!state.unreported.is_empty()).then(|| state.unreported.remove(0))
    }

    /// Returns whether an extension is about to subscribe to telemetry: it listens on a second port, and no extension has
    /// requested a subscription.
    pub(crate) fn expects_subscription(&self) -> bool {
        let state = self.state();
        let mut ports = PORT_RANGE;
        state.requested.is_empty()
            && ports.any(|port| {
                let is_registered = state.registered.values().any(|other| *other == port);
                let owner = (!is_registered).then(|| port_owner(port)).flatten();
                owner.is_some_and(|owner| state.script_of(&owner).is_some())
            })
    }

    /// Returns the owner of each port that a message reports as in use, like
    /// [`ports_in_use`](fg_conformance::port_owner::ports_in_use), and adds the script names of extensions.
    pub(crate) fn ports_in_use(&self, message: &str) -> Vec<String> {
        let named = ports_named_in_use(message);
        if named.is_empty() {
            return fg_conformance::port_owner::ports_in_use(message);
        }
        let state = self.state();
        let in_use = named.into_iter().filter_map(|port| {
            let owner = state.describe(&port_owner(port)?);
            Some(format!("port {port} is in use by {owner}"))
        });
        in_use.collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn report(&mut self, conflict: String) {
        if self.reported.insert(conflict.clone()) {
            self.unreported.push(conflict);
        }
    }

    /// Returns the conflict if an extension printed that a port is in use which another process has.
    fn port_conflict(&self, script: &str, text: &str) -> Option<String> {
        let owned = ports_named_in_use(text).into_iter().filter_map(|port| {
            let owner = port_owner(port)?;
            let is_own = self.script_of(&owner).as_deref() == Some(script);
            (!is_own).then(|| (port, self.describe(&owner)))
        });
        let (port, owner) = owned.into_iter().next()?;
        Some(format!(
            "{script} cannot listen on port {port}: it is in use by {owner}; give each extension its own ports"
        ))
    }

    /// Returns the conflict between the subscriber and the extension whose subscription was rejected.
    fn second_subscriber(&self) -> Option<String> {
        let (subscribed_uri, subscribed) = self.subscribed.as_ref()?;
        let rejected = self.requested.iter().rfind(|uri| *uri != subscribed_uri)?;
        let rejected = self.subscriber(rejected);
        let rejected = rejected.as_deref().unwrap_or("an extension");
        let subscribed = subscribed.as_deref().unwrap_or("another extension");
        Some(format!(
            "{rejected} receives no telemetry: {subscribed} has already subscribed, and a function can have only one \
             subscriber; remove one of them"
        ))
    }

    /// Returns the script name of the extension that has just requested a subscription with this URI.
    fn subscriber(&self, uri: &str) -> Option<String> {
        let port = uri.rsplit(':').next()?.trim_end_matches('/').parse().ok()?;
        self.script_of(&port_owner(port)?)
            .or_else(|| self.booting())
    }

    /// Returns the script name of the only extension that has registered and not been added yet.
    fn booting(&self) -> Option<String> {
        let is_added = |script: &String| self.groups.values().any(|other| other == script);
        let mut booting = self.registered.keys().filter(|script| !is_added(script));
        booting.next().filter(|_| booting.next().is_none()).cloned()
    }

    /// Returns the script name of the extension that a process belongs to.
    fn script_of(&self, owner: &PortOwner) -> Option<String> {
        let (_, id) = owner.process.as_ref()?;
        let group = getpgid(Some(Pid::from_raw(*id))).ok()?;
        self.groups.get(&group.as_raw()).cloned()
    }

    fn describe(&self, owner: &PortOwner) -> String {
        match (&owner.process, self.script_of(owner)) {
            (Some((name, id)), Some(script)) => format!("{name} (pid {id}, {script})"),
            _ => owner.to_string(),
        }
    }
}
