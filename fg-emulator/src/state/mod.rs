//! The platform's rules, without I/O.

mod rejection;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use crate::function::RuntimeState;
use crate::port::{FIRST_PORT, LAST_PORT};
use crate::telemetry::{Subscription, TelemetryState};
use crate::{ScriptName, is_extension_address};

pub(crate) use self::rejection::Rejection;

/// At most so many extensions (D 2707).
const MAX_EXTENSIONS: usize = 10;

/// Which scripts were booted, what they registered, and the telemetry for them.
#[derive(Debug, Default)]
pub(crate) struct State {
    extensions: BTreeMap<String, Option<SocketAddr>>,
    /// Why a registration was rejected, the last time that one was.
    pub(crate) last_rejection: Option<String>,
    pub(crate) telemetry: TelemetryState,
    pub(crate) runtime: RuntimeState,
}

impl State {
    /// Of an instance that starts at this time.
    pub(crate) fn new(started_at: SystemTime) -> Self {
        Self {
            telemetry: TelemetryState::new(started_at),
            ..Self::default()
        }
    }

    /// Adds the script of this name, which is booted.
    pub(crate) fn add_extension(&mut self, script: &str) -> Result<(), Rejection> {
        if let Err(error) = ScriptName::new(script) {
            return Err(Rejection::new("InvalidExtensionName", error.to_string()));
        }
        if self.extensions.contains_key(script) {
            return Err(Rejection::new(
                "ExtensionBooted",
                format!("{script} is booted already"),
            ));
        }
        if self.extensions.len() == MAX_EXTENSIONS {
            return Err(Rejection::new(
                "TooManyExtensions",
                format!("a function has {MAX_EXTENSIONS} extensions at most"),
            ));
        }
        self.extensions.insert(script.to_owned(), None);
        Ok(())
    }

    /// Removes a script whose process has exited.
    pub(crate) fn remove_extension(&mut self, script: &str) {
        self.extensions.remove(script);
        // A subscription does not say whose it is; without any extension it is nobody's.
        if self.registered_extensions().is_empty() {
            self.telemetry.unsubscribe();
        }
    }

    /// Applies a registration, with the two headers as they were received.
    pub(crate) fn register(
        &mut self,
        name: Option<&str>,
        address: Option<&str>,
    ) -> Result<(String, SocketAddr), Rejection> {
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
                    "address `{text}` is not within 127.0.0.1:{FIRST_PORT} and 127.0.0.1:{LAST_PORT}"
                ),
            ));
        };
        match self.extensions.get(name) {
            None => {
                let message = format!("no script `{name}` was booted");
                return Err(Rejection::new("ExtensionNotFound", message));
            }
            Some(Some(_)) => {
                return Err(Rejection::new(
                    "ExtensionRegistered",
                    format!("{name} is registered already"),
                ));
            }
            Some(None) => {}
        }
        if let Some((other, _)) = self
            .extensions
            .iter()
            .find(|(_, used)| **used == Some(address))
        {
            return Err(Rejection::new(
                "AddressInUse",
                format!("{other} has registered {address}"),
            ));
        }
        self.extensions.insert(name.to_owned(), Some(address));
        Ok((name.to_owned(), address))
    }

    /// Returns where this extension listens, once it is registered.
    pub(crate) fn registered_address(&self, script: &str) -> Option<SocketAddr> {
        *self.extensions.get(script)?
    }

    /// Applies a subscription to telemetry, with the body as it was received. It comes after a registration (D 2710).
    pub(crate) fn subscribe(&mut self, body: &[u8]) -> Result<Subscription, Rejection> {
        let subscription = Subscription::parse(body)?;
        if self.registered_extensions().is_empty() {
            let message = "no extension is registered: the registration comes first";
            return Err(Rejection::new("NotRegistered", message));
        }
        self.telemetry.subscribe(&subscription)?;
        Ok(subscription)
    }

    /// Returns the extensions that get the invocations.
    pub(crate) fn registered_extensions(&self) -> Vec<(String, SocketAddr)> {
        let registered =
            |(script, address): (&String, &Option<SocketAddr>)| Some((script.clone(), (*address)?));
        self.extensions.iter().filter_map(registered).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    fn rejected<T: std::fmt::Debug>(result: Result<T, super::Rejection>) -> &'static str {
        result.unwrap_err().error_type
    }

    #[test]
    fn registration_rules() {
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
        let registered = ("extensionA.sh".to_owned(), address);
        assert_eq!(
            state.register(Some("extensionA.sh"), at),
            Ok(registered.clone())
        );
        assert_eq!(
            rejected(state.register(Some("extensionA.sh"), at)),
            "ExtensionRegistered"
        );
        assert_eq!(
            rejected(state.register(Some("extensionB.sh"), at)),
            "AddressInUse"
        );
        assert_eq!(state.registered_extensions(), [registered]);

        state.remove_extension("extensionA.sh");
        assert!(state.register(Some("extensionB.sh"), at).is_ok());
    }

    #[test]
    fn subscription_rules() {
        let mut state = State::default();
        let body = include_bytes!("../../../tests/golden/telemetry-subscription.json");
        state.add_extension("extensionA.sh").unwrap();
        assert_eq!(rejected(state.subscribe(body)), "NotRegistered");
        let at = Some("127.0.0.1:8081");
        state.register(Some("extensionA.sh"), at).unwrap();
        assert_eq!(rejected(state.subscribe(b"{}")), "InvalidSubscription");
        assert_eq!(state.subscribe(body).unwrap().uri, "http://127.0.0.1:8082");
        assert_eq!(rejected(state.subscribe(body)), "AlreadySubscribed");

        // Whose it is is not known, so it stays while there is somebody.
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
    fn boot_rules() {
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
