//! What crosses threads, and stays in one piece: part of the API, though nobody writes it down.

use std::panic::{RefUnwindSafe, UnwindSafe};

use fg_extension::{
    Error, Extension, ExtensionName, FunctionUrn, InvalidExtensionName, InvalidPort, Invocation,
    Port, Registration, RunError, Subscription, TelemetryEvent, TelemetryType,
};

struct Minimal;

impl Extension for Minimal {
    const NAME: ExtensionName = ExtensionName::new("extensionNothing.sh");
    const PORT: Port = Port::new(8081);

    async fn init(_: &Registration) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn invoke(&self, _: Invocation) -> Result<(), Error> {
        Ok(())
    }
}

fn is_plain<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static>() {}
fn crosses_threads<T: Send + Sync + Unpin + 'static>() {}
fn is_send<T: Send>(_: &T) {}

#[test]
fn values_cross_threads() {
    is_plain::<ExtensionName>();
    is_plain::<FunctionUrn>();
    is_plain::<InvalidExtensionName>();
    is_plain::<InvalidPort>();
    is_plain::<Invocation>();
    is_plain::<Port>();
    is_plain::<Registration>();
    is_plain::<Subscription>();
    is_plain::<TelemetryEvent>();
    is_plain::<TelemetryType>();
    // An author's error is in there.
    crosses_threads::<RunError>();
}

#[test]
fn runtime_can_be_spawned() {
    is_send(&fg_extension::run::<Minimal>());
}

#[tokio::test]
async fn defaults_of_the_trait() {
    assert_eq!(Minimal::TIMEOUT, None);
    assert!(Minimal.shutdown().await.is_ok());
}
