//! What crosses threads, and stays in one piece: part of the API, though nobody writes it down.

use std::panic::{RefUnwindSafe, UnwindSafe};

use fg_extension::{
    Error, Extension, ExtensionName, FunctionUrn, InvalidExtensionName, InvalidPort, Invocation,
    LogEvent, Metrics, PlatformEvent, PlatformRecord, Port, Registration, RunError, Subscription,
    TelemetryCounters, TelemetryEvent, TelemetryHandler, TelemetryType, Timestamp,
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

impl TelemetryHandler for Minimal {
    const SUBSCRIPTION: Subscription =
        Subscription::new(Port::new(8082), &[TelemetryType::Platform]);

    async fn telemetry(&self, _: Vec<TelemetryEvent>, _: &TelemetryCounters) -> Result<(), Error> {
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
    is_plain::<LogEvent>();
    is_plain::<Metrics>();
    is_plain::<PlatformEvent>();
    is_plain::<PlatformRecord>();
    is_plain::<Port>();
    is_plain::<Registration>();
    is_plain::<Subscription>();
    is_plain::<TelemetryCounters>();
    is_plain::<TelemetryEvent>();
    is_plain::<TelemetryType>();
    is_plain::<Timestamp>();
    // An author's error is in there.
    crosses_threads::<RunError>();
}

#[test]
fn emulator_crosses_threads() {
    crosses_threads::<fg_emulator::Error>();
    crosses_threads::<fg_emulator::Event>();
    crosses_threads::<fg_emulator::InvokeResult>();
    crosses_threads::<fg_emulator::Platform>();
    crosses_threads::<fg_emulator::PlatformBuilder>();
    crosses_threads::<fg_emulator::PortLease>();
    crosses_threads::<fg_emulator::ShutdownReport>();
}

#[test]
fn errors_are_one_pointer() {
    assert_eq!(size_of::<Result<(), RunError>>(), size_of::<usize>());
    assert_eq!(
        size_of::<Result<(), fg_emulator::Error>>(),
        size_of::<usize>()
    );
}

#[test]
fn runtime_can_be_spawned() {
    is_send(&fg_extension::run::<Minimal>());
    is_send(&fg_extension::run_with_telemetry::<Minimal>());
}

#[tokio::test]
async fn defaults_of_the_trait() {
    assert_eq!(Minimal::TIMEOUT, None);
    assert!(Minimal.shutdown().await.is_ok());
}
