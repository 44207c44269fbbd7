//! The platform's rules, without I/O.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use crate::function::Runtime;
use crate::telemetry::{Subscription, Telemetry};
use crate::{ScriptName, is_extension_address};

/// At most so many extensions (D 2707).
const MAX_EXTENSIONS: usize = 10;

/// Which scripts were booted, what they registered, and the telemetry for them.
#[derive(Debug, Default)]
pub(crate) struct State {
    extensions: BTreeMap<String, Option<SocketAddr>>,
    /// Why the last registration was refused that was.
    pub(crate) refusal: Option<String>,
    pub(crate) telemetry: Telemetry,
    pub(crate) runtime: Runtime,
}

/// Why a call is refused, as it goes into `errorInfo`. The names of the types are ours (?).
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) error_type: &'static str,
    pub(crate) error_message: String,
}

impl State {
    /// The instance starts.
    pub(crate) fn starts(at: SystemTime) -> Self {
        Self {
            telemetry: Telemetry::starts(at),
            ..Self::default()
        }
    }

    /// Notes that the script of this name is booted.
    pub(crate) fn boot(&mut self, script: &str) -> Result<(), Refusal> {
        if let Err(error) = ScriptName::new(script) {
            return Err(Refusal::new("InvalidExtensionName", error.to_string()));
        }
        if self.extensions.contains_key(script) {
            return Err(Refusal::new(
                "ExtensionBooted",
                format!("{script} is booted already"),
            ));
        }
        if self.extensions.len() == MAX_EXTENSIONS {
            return Err(Refusal::new(
                "TooManyExtensions",
                format!("a function has {MAX_EXTENSIONS} extensions at most"),
            ));
        }
        self.extensions.insert(script.to_owned(), None);
        Ok(())
    }

    /// Notes that its process is gone.
    pub(crate) fn remove(&mut self, script: &str) {
        self.extensions.remove(script);
        // Whose the subscription is, its call does not say; with nobody left it is nobody's.
        if self.registered().is_empty() {
            self.telemetry.unsubscribe();
        }
    }

    /// A registration, with the two headers as they came.
    pub(crate) fn register(
        &mut self,
        name: Option<&str>,
        address: Option<&str>,
    ) -> Result<(String, SocketAddr), Refusal> {
        let missing = |header| Refusal::new("MissingHeader", format!("header {header} is missing"));
        let name = name.ok_or_else(|| missing("FunctionGraph-Extension-Name"))?;
        let text = address.ok_or_else(|| missing("FunctionGraph-Extension-Address"))?;
        let address = text
            .parse()
            .ok()
            .filter(|address| is_extension_address(*address));
        let Some(address) = address else {
            return Err(Refusal::new(
                "InvalidExtensionAddress",
                format!("address `{text}` is not within 127.0.0.1:8081 and 127.0.0.1:8090"),
            ));
        };
        match self.extensions.get(name) {
            None => {
                let message = format!("no script `{name}` was booted");
                return Err(Refusal::new("ExtensionNotFound", message));
            }
            Some(Some(_)) => {
                return Err(Refusal::new(
                    "ExtensionRegistered",
                    format!("{name} is registered already"),
                ));
            }
            Some(None) => {}
        }
        if let Some((other, _)) = self
            .extensions
            .iter()
            .find(|(_, taken)| **taken == Some(address))
        {
            return Err(Refusal::new(
                "AddressInUse",
                format!("{other} has registered {address}"),
            ));
        }
        self.extensions.insert(name.to_owned(), Some(address));
        Ok((name.to_owned(), address))
    }

    /// Where this one takes events, once it is registered.
    pub(crate) fn address_of(&self, script: &str) -> Option<SocketAddr> {
        *self.extensions.get(script)?
    }

    /// A subscription to telemetry, with the body as it came. It comes after a registration (D 2710).
    pub(crate) fn subscribe(&mut self, body: &[u8]) -> Result<Subscription, Refusal> {
        let subscription = Subscription::parse(body)?;
        if self.registered().is_empty() {
            let message = "no extension is registered: the registration comes first".to_owned();
            return Err(Refusal::new("NotRegistered", message));
        }
        self.telemetry.subscribe(&subscription)?;
        Ok(subscription)
    }

    /// Who gets the invocations.
    pub(crate) fn registered(&self) -> Vec<(String, SocketAddr)> {
        let registered =
            |(script, address): (&String, &Option<SocketAddr>)| Some((script.clone(), (*address)?));
        self.extensions.iter().filter_map(registered).collect()
    }
}

impl Refusal {
    pub(crate) fn new(error_type: &'static str, error_message: String) -> Self {
        Self {
            error_type,
            error_message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    fn refused<T: std::fmt::Debug>(result: Result<T, super::Refusal>) -> &'static str {
        result.unwrap_err().error_type
    }

    #[test]
    fn registration_rules() {
        let mut state = State::default();
        state.boot("extensionA.sh").unwrap();
        state.boot("extensionB.sh").unwrap();
        let at = Some("127.0.0.1:8081");
        assert_eq!(refused(state.register(None, at)), "MissingHeader");
        assert_eq!(
            refused(state.register(Some("extensionA.sh"), None)),
            "MissingHeader"
        );
        assert_eq!(
            refused(state.register(Some("extensionC.sh"), at)),
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
            assert_eq!(refused(result), "InvalidExtensionAddress", "{address}");
        }
        assert!(state.registered().is_empty());

        let address = "127.0.0.1:8081".parse().unwrap();
        let registered = ("extensionA.sh".to_owned(), address);
        assert_eq!(
            state.register(Some("extensionA.sh"), at),
            Ok(registered.clone())
        );
        assert_eq!(
            refused(state.register(Some("extensionA.sh"), at)),
            "ExtensionRegistered"
        );
        assert_eq!(
            refused(state.register(Some("extensionB.sh"), at)),
            "AddressInUse"
        );
        assert_eq!(state.registered(), [registered]);

        state.remove("extensionA.sh");
        assert!(state.register(Some("extensionB.sh"), at).is_ok());
    }

    #[test]
    fn subscription_rules() {
        let mut state = State::default();
        let body = include_bytes!("../../tests/golden/telemetry-subscription.json");
        state.boot("extensionA.sh").unwrap();
        assert_eq!(refused(state.subscribe(body)), "NotRegistered");
        let at = Some("127.0.0.1:8081");
        state.register(Some("extensionA.sh"), at).unwrap();
        assert_eq!(refused(state.subscribe(b"{}")), "InvalidSubscription");
        assert_eq!(state.subscribe(body).unwrap().uri, "http://127.0.0.1:8082");
        assert_eq!(refused(state.subscribe(body)), "AlreadySubscribed");

        // Whose it is is not known, so it stays while there is somebody.
        let other = Some("127.0.0.1:8083");
        state.boot("extensionB.sh").unwrap();
        state.register(Some("extensionB.sh"), other).unwrap();
        state.remove("extensionA.sh");
        assert_eq!(refused(state.subscribe(body)), "AlreadySubscribed");
        state.remove("extensionB.sh");
        state.boot("extensionB.sh").unwrap();
        state.register(Some("extensionB.sh"), other).unwrap();
        assert!(state.subscribe(body).is_ok());
    }

    #[test]
    fn boot_rules() {
        let mut state = State::default();
        for name in ["hello.sh", "extensionHello", "extension/a.sh", ""] {
            assert_eq!(refused(state.boot(name)), "InvalidExtensionName", "{name}");
        }
        for i in 0..10 {
            state.boot(&format!("extension{i}.sh")).unwrap();
        }
        assert_eq!(refused(state.boot("extension9.sh")), "ExtensionBooted");
        assert_eq!(refused(state.boot("extension10.sh")), "TooManyExtensions");
    }
}
