//! The state of the platform and the rules for changing it, without I/O.

mod printed;
mod rejection;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use crate::function::RuntimeState;
use crate::port::{FIRST_PORT, LAST_PORT};
use crate::telemetry::{Subscription, TelemetryState};
use crate::{OutputLine, ScriptName, is_extension_address};

use self::printed::Printed;
pub(crate) use self::rejection::Rejection;

/// The maximum number of extensions of a function (D 2707).
const MAX_EXTENSIONS: usize = 10;

/// The booted extensions, the telemetry, and the invocations of a custom runtime.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The booted scripts.
    extensions: BTreeMap<String, Extension>,
    /// The scripts whose processes the user starts. They may register again, since a debugger starts a program again.
    pub(crate) attached: BTreeSet<String>,
    /// Whether an attached process has been started again, and may repeat its subscription.
    may_resubscribe: bool,
    /// Why the last rejected registration was rejected.
    pub(crate) last_rejection: Option<String>,
    pub(crate) telemetry: TelemetryState,
    pub(crate) runtime: RuntimeState,
    /// What the processes print while invocations are in flight.
    printed: Printed,
}

#[derive(Debug, Default)]
struct Extension {
    /// When its process was started. `None` if the user starts it.
    started_at: Option<Instant>,
    registration: Option<Registration>,
}

/// A registration of an extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration {
    pub(crate) address: SocketAddr,
    pub(crate) at: Instant,
    /// When the process of the extension was started. `None` if the user has started it.
    pub(crate) started_at: Option<Instant>,
}

impl State {
    /// Starts to store the lines that the processes print. Returns the key for [`take_printed`](Self::take_printed).
    pub(crate) fn store_printed(&mut self) -> u64 {
        self.printed.start()
    }

    /// Returns the stored lines, and stops storing them.
    pub(crate) fn take_printed(&mut self, key: u64) -> Vec<OutputLine> {
        self.printed.take(key)
    }

    /// Stores a line that a process printed for the invocations in flight.
    pub(crate) fn printed(&mut self, line: &OutputLine) {
        self.printed.push(line);
    }

    /// Returns the state of an instance that starts at `started_at`.
    pub(crate) fn new(started_at: SystemTime) -> Self {
        Self {
            telemetry: TelemetryState::new(started_at),
            ..Self::default()
        }
    }

    /// Adds a script that is being booted.
    pub(crate) fn add_extension(&mut self, script: &str) -> Result<(), Rejection> {
        if let Err(error) = ScriptName::new(script) {
            return Err(Rejection::new("InvalidExtensionName", error.to_string()));
        }
        if self.extensions.contains_key(script) {
            return Err(Rejection::new(
                "ExtensionBooted",
                "an extension with this name is already booted",
            ));
        }
        if self.extensions.len() == MAX_EXTENSIONS {
            return Err(Rejection::new(
                "TooManyExtensions",
                format!("a function has at most {MAX_EXTENSIONS} extensions"),
            ));
        }
        self.extensions
            .insert(script.to_owned(), Extension::default());
        Ok(())
    }

    /// Records when the process of a booted script was started.
    pub(crate) fn process_started(&mut self, script: &str, at: Instant) {
        if let Some(extension) = self.extensions.get_mut(script) {
            extension.started_at = Some(at);
        }
    }

    /// Removes a script whose process has exited.
    pub(crate) fn remove_extension(&mut self, script: &str) {
        self.extensions.remove(script);
        self.attached.remove(script);
        self.unsubscribe_if_alone();
    }

    fn unsubscribe_if_alone(&mut self) {
        // A subscription does not identify its extension. If no extension is left, the subscriber has exited.
        if self.registered_extensions().is_empty() {
            self.telemetry.unsubscribe();
        }
    }

    /// Applies a registration, given the values of its two headers.
    pub(crate) fn register(
        &mut self,
        name: Option<&str>,
        address: Option<&str>,
    ) -> Result<(String, Registration), Rejection> {
        let missing =
            |header| Rejection::new("MissingHeader", format!("header {header} is missing"));
        let name = name.ok_or_else(|| missing("FunctionGraph-Extension-Name"))?;
        let text = address.ok_or_else(|| missing("FunctionGraph-Extension-Address"))?;
        let address = text
            .parse()
            .ok()
            .filter(|address| is_extension_address(*address));
        let Some(address) = address else {
            return Err(Rejection::new(
                "InvalidExtensionAddress",
                format!(
                    "address `{text}` is outside the range 127.0.0.1:{FIRST_PORT} to 127.0.0.1:{LAST_PORT}"
                ),
            ));
        };
        match self.extensions.get(name) {
            None => {
                let message = format!("no script `{name}` was booted");
                return Err(Rejection::new("ExtensionNotFound", message));
            }
            Some(extension) if extension.is_registered() && !self.attached.contains(name) => {
                return Err(Rejection::new(
                    "ExtensionRegistered",
                    format!("{name} is already registered"),
                ));
            }
            Some(_) => {}
        }
        if let Some((other, _)) = self
            .extensions
            .iter()
            .find(|(other, used)| *other != name && used.address() == Some(address))
        {
            return Err(Rejection::new(
                "AddressInUse",
                format!("{address} is already registered by {other}"),
            ));
        }
        let previous = self
            .extensions
            .insert(name.to_owned(), Extension::default());
        let previous = previous.unwrap_or_default();
        if previous.is_registered() {
            self.unsubscribe_if_alone();
            self.may_resubscribe = true;
        }
        let registration = Registration {
            address,
            at: Instant::now(),
            started_at: previous.started_at,
        };
        let extension = Extension {
            started_at: previous.started_at,
            registration: Some(registration),
        };
        self.extensions.insert(name.to_owned(), extension);
        Ok((name.to_owned(), registration))
    }

    /// Returns the registration of the extension, or `None` until it is registered.
    pub(crate) fn registration(&self, script: &str) -> Option<Registration> {
        self.extensions.get(script)?.registration
    }

    /// Applies a subscription to telemetry, given the body of the request. A registration must precede it (D 2711).
    pub(crate) fn subscribe(&mut self, body: &[u8]) -> Result<Subscription, Rejection> {
        let subscription = Subscription::parse(body)?;
        if self.registered_extensions().is_empty() {
            let message = "no extension is registered; register before subscribing";
            return Err(Rejection::new("NotRegistered", message));
        }
        let may_resubscribe = std::mem::take(&mut self.may_resubscribe);
        let current = self.telemetry.subscription();
        if may_resubscribe && current.is_some_and(|current| current.uri == subscription.uri) {
            self.telemetry.unsubscribe();
        }
        self.telemetry.subscribe(&subscription)?;
        Ok(subscription)
    }

    /// Returns the registered extensions, ordered by script name. They receive the invoke events.
    pub(crate) fn registered_extensions(&self) -> Vec<(String, SocketAddr)> {
        let registered = |(script, extension): (&String, &Extension)| {
            Some((script.clone(), extension.address()?))
        };
        self.extensions.iter().filter_map(registered).collect()
    }
}

impl Extension {
    fn address(&self) -> Option<SocketAddr> {
        Some(self.registration?.address)
    }

    fn is_registered(&self) -> bool {
        self.registration.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    fn rejected<T: std::fmt::Debug>(result: Result<T, super::Rejection>) -> &'static str {
        result.unwrap_err().error_type
    }

    #[test]
    fn registrations_that_break_a_rule_are_rejected() {
        let mut state = State::default();
        state.add_extension("extensionA.sh").unwrap();
        state.add_extension("extensionB.sh").unwrap();
        let at = Some("127.0.0.1:8081");
        assert_eq!(rejected(state.register(None, at)), "MissingHeader");
        assert_eq!(
            rejected(state.register(Some("extensionA.sh"), None)),
            "MissingHeader"
        );
        assert_eq!(
            rejected(state.register(Some("extensionC.sh"), at)),
            "ExtensionNotFound"
        );
        for address in [
            "127.0.0.1:8080",
            "127.0.0.1:8091",
            "127.0.0.2:8081",
            "8081",
            "localhost:8081",
            "",
        ] {
            let result = state.register(Some("extensionA.sh"), Some(address));
            assert_eq!(rejected(result), "InvalidExtensionAddress", "{address}");
        }
        assert!(state.registered_extensions().is_empty());

        let address = "127.0.0.1:8081".parse().unwrap();
        let started_at = std::time::Instant::now();
        state.process_started("extensionA.sh", started_at);
        let (script, registration) = state.register(Some("extensionA.sh"), at).unwrap();
        assert_eq!(
            (script.as_str(), registration.address),
            ("extensionA.sh", address)
        );
        assert_eq!(registration.started_at, Some(started_at));
        assert!(registration.at >= started_at);
        assert_eq!(
            rejected(state.register(Some("extensionA.sh"), at)),
            "ExtensionRegistered"
        );
        assert_eq!(
            rejected(state.register(Some("extensionB.sh"), at)),
            "AddressInUse"
        );
        assert_eq!(state.registered_extensions(), [(script, address)]);

        state.remove_extension("extensionA.sh");
        assert!(state.register(Some("extensionB.sh"), at).is_ok());
    }

    #[test]
    fn subscription_lasts_until_the_last_extension_is_removed() {
        let mut state = State::default();
        let body = include_bytes!("../../../tests/golden/telemetry-subscription.json");
        state.add_extension("extensionA.sh").unwrap();
        assert_eq!(rejected(state.subscribe(body)), "NotRegistered");
        let at = Some("127.0.0.1:8081");
        state.register(Some("extensionA.sh"), at).unwrap();
        assert_eq!(rejected(state.subscribe(b"{}")), "InvalidSubscription");
        assert_eq!(state.subscribe(body).unwrap().uri, "http://127.0.0.1:8082");
        assert_eq!(rejected(state.subscribe(body)), "AlreadySubscribed");

        // The platform does not know which extension subscribed, so the subscription stays while one is registered.
        let other = Some("127.0.0.1:8083");
        state.add_extension("extensionB.sh").unwrap();
        state.register(Some("extensionB.sh"), other).unwrap();
        state.remove_extension("extensionA.sh");
        assert_eq!(rejected(state.subscribe(body)), "AlreadySubscribed");
        state.remove_extension("extensionB.sh");
        state.add_extension("extensionB.sh").unwrap();
        state.register(Some("extensionB.sh"), other).unwrap();
        assert!(state.subscribe(body).is_ok());
    }

    #[test]
    fn attached_extension_can_be_started_again() {
        let mut state = State::default();
        let body = include_bytes!("../../../tests/golden/telemetry-subscription.json");
        let (at, other) = (Some("127.0.0.1:8081"), Some("127.0.0.1:8083"));
        state.add_extension("extensionA.sh").unwrap();
        state.attached.insert("extensionA.sh".to_owned());
        for _ in 0..2 {
            state.register(Some("extensionA.sh"), at).unwrap();
            assert!(state.subscribe(body).is_ok());
            assert_eq!(rejected(state.subscribe(body)), "AlreadySubscribed");
        }
        // Another extension does not lose its subscription, and keeps its port.
        state.add_extension("extensionB.sh").unwrap();
        state.register(Some("extensionB.sh"), other).unwrap();
        assert_eq!(
            rejected(state.register(Some("extensionA.sh"), other)),
            "AddressInUse"
        );
        state.register(Some("extensionA.sh"), at).unwrap();
        assert!(state.subscribe(body).is_ok());
        assert_eq!(rejected(state.subscribe(body)), "AlreadySubscribed");
        assert_eq!(
            rejected(state.register(Some("extensionB.sh"), other)),
            "ExtensionRegistered"
        );
    }

    #[test]
    fn invalid_duplicate_and_surplus_extensions_are_rejected() {
        let mut state = State::default();
        for name in ["hello.sh", "extensionHello", "extension/a.sh", ""] {
            assert_eq!(
                rejected(state.add_extension(name)),
                "InvalidExtensionName",
                "{name}"
            );
        }
        for i in 0..10 {
            state.add_extension(&format!("extension{i}.sh")).unwrap();
        }
        assert_eq!(
            rejected(state.add_extension("extension9.sh")),
            "ExtensionBooted"
        );
        assert_eq!(
            rejected(state.add_extension("extension10.sh")),
            "TooManyExtensions"
        );
    }
}
