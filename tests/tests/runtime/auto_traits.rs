//! Tests of auto traits, sizes and defaults, which are part of the API although no code declares them.

use std::panic::{RefUnwindSafe, UnwindSafe};

use fg_extension::{
    Error, Extension, ExtensionName, FunctionUrn, InvalidExtensionName, InvalidPort, Invocation,
    LogEvent, Metrics, PlatformEvent, PlatformEventKind, Port, Registration, RunError,
    Subscription, TelemetryCounters, TelemetryEvent, TelemetryHandler, TelemetryType, Timestamp,
    UnknownEvent,
};

struct Minimal;

impl Extension for Minimal {
    const NAME: ExtensionName = ExtensionName::new("extensionMinimal.sh");
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

fn has_all_auto_traits<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static>() {}
fn can_cross_threads<T: Send + Sync + Unpin + 'static>() {}
fn is_send<T: Send>(_: &T) {}

#[test]
fn types_of_the_runtime_have_the_auto_traits() {
    has_all_auto_traits::<ExtensionName>();
    has_all_auto_traits::<FunctionUrn>();
    has_all_auto_traits::<InvalidExtensionName>();
    has_all_auto_traits::<InvalidPort>();
    has_all_auto_traits::<Invocation>();
    has_all_auto_traits::<LogEvent>();
    has_all_auto_traits::<Metrics<'static>>();
    has_all_auto_traits::<PlatformEvent>();
    has_all_auto_traits::<PlatformEventKind>();
    has_all_auto_traits::<Port>();
    has_all_auto_traits::<Registration>();
    has_all_auto_traits::<Subscription>();
    has_all_auto_traits::<TelemetryCounters>();
    has_all_auto_traits::<TelemetryEvent>();
    has_all_auto_traits::<TelemetryType>();
    has_all_auto_traits::<Timestamp>();
    has_all_auto_traits::<UnknownEvent>();
    // It contains an author's error, which need not be `UnwindSafe`.
    can_cross_threads::<RunError>();
}

#[test]
fn types_of_the_emulator_can_cross_threads() {
    can_cross_threads::<fg_emulator::Error>();
    can_cross_threads::<fg_emulator::Event>();
    can_cross_threads::<fg_emulator::InvokeResult>();
    can_cross_threads::<fg_emulator::Platform>();
    can_cross_threads::<fg_emulator::PlatformBuilder>();
    can_cross_threads::<fg_emulator::PortLease>();
    can_cross_threads::<fg_emulator::ShutdownReport>();
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
fn futures_of_the_runtime_are_send() {
    is_send(&fg_extension::run::<Minimal>());
    is_send(&fg_extension::run_with_telemetry::<Minimal>());
}

#[tokio::test]
async fn extension_has_no_timeout_and_no_shutdown_by_default() {
    assert_eq!(Minimal::TIMEOUT, None);
    assert!(Minimal.shutdown().await.is_ok());
}
