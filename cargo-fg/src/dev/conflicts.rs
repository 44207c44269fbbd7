//! Finds extensions that need a port that is in use, a second subscriber to telemetry, and a subscriber that is late.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fg_conformance::port_owner::{PortOwner, port_owner, ports_named_in_use};
use fg_emulator::{ApiRequest, Event, PORT_RANGE};
use nix::unistd::{Pid, getpgid};
use serde_json::Value;
use tokio::sync::Notify;

/// The path of a subscription (D 2712).
const SUBSCRIPTION: &str = "/telemetry";

/// What the runtime of this framework logs if it cannot receive telemetry. Other lines about ports in use are no evidence:
/// an extension may try the next port.
const WITHOUT_TELEMETRY: &str = "continuing without telemetry";

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
    /// The ports that extensions could not listen on, whose owners have not been looked up.
    unavailable: Vec<(String, u16)>,
    /// The ports whose owners have been looked up.
    looked_up: BTreeSet<(String, u16)>,
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
            }
            Event::Output(line) if line.text.contains(WITHOUT_TELEMETRY) => {
                let ports = ports_named_in_use(&line.text).into_iter();
                let unavailable = ports.map(|port| (line.script.clone(), port));
                state.unavailable.extend(unavailable);
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
                path, error_type, ..
            } if path == SUBSCRIPTION && *error_type == "AlreadySubscribed" => {
                if let Some(conflict) = state.second_subscriber() {
                    state.report(conflict);
                }
            }
            _ => return,
        }
        if !state.unreported.is_empty() || !state.unavailable.is_empty() {
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

    /// Finds out which processes own the ports that registered extensions could not listen on. That takes long on a
    /// machine with many processes, so the observer does not do it, and it is done once for each port.
    pub(crate) fn look_up_owners(&self) {
        let unavailable = {
            let mut state = self.state();
            let State {
                unavailable,
                registered,
                looked_up,
                ..
            } = &mut *state;
            // If an extension exits before it registers, its boot fails.
            let found = unavailable.extract_if(.., |(script, _)| registered.contains_key(&*script));
            found
                .filter(|found| looked_up.insert(found.clone()))
                .collect::<Vec<_>>()
        };
        for (script, port) in unavailable {
            let owner = port_owner(port);
            self.state().report_port(&script, port, owner.as_ref());
        }
    }

    /// Returns the first conflict that has not been returned.
    pub(crate) fn take(&self) -> Option<String> {
        self.look_up_owners();
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

    /// Reports that an extension could not listen on a port, which this process owns.
    fn report_port(&mut self, script: &str, port: u16, owner: Option<&PortOwner>) {
        let owner = match owner {
            Some(owner) => format!("is in use by {}", self.describe(owner)),
            // It has exited since.
            None => "was in use".to_owned(),
        };
        self.report(format!(
            "{script} cannot listen on port {port}: it {owner}; give each extension its own ports"
        ));
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
