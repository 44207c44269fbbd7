//! An extension with a `tracing` subscriber of its own, which prints each event, and panics at the first one that contains
//! the text of the variable `PANIC_AT`.

use std::sync::atomic::{AtomicBool, Ordering};

use fg_extension::{
    Error, Extension, ExtensionName, Invocation, Port, Registration, Subscription,
    TelemetryCounters, TelemetryEvent, TelemetryHandler, TelemetryType,
};
use tokio::runtime::Builder;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

struct Panicking {
    at: String,
    has_panicked: AtomicBool,
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Panicking {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("fg_extension")
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        println!("{}", message.0);
        assert!(
            !message.0.contains(&self.at) || self.has_panicked.swap(true, Ordering::Relaxed),
            "the subscriber panicked"
        );
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Failing {
    has_failed: AtomicBool,
}

impl Extension for Failing {
    const NAME: ExtensionName = ExtensionName::new("extensionPanickingSubscriber.sh");
    const PORT: Port = Port::new(8081);

    async fn init(_: &Registration) -> Result<Self, Error> {
        Ok(Self {
            has_failed: AtomicBool::new(false),
        })
    }

    async fn invoke(&self, _: Invocation) -> Result<(), Error> {
        Ok(())
    }
}

impl TelemetryHandler for Failing {
    const SUBSCRIPTION: Subscription =
        Subscription::new(Port::new(8082), &[TelemetryType::Function]);

    /// Fails once.
    async fn telemetry(
        &self,
        events: Vec<TelemetryEvent>,
        counters: &TelemetryCounters,
    ) -> Result<(), Error> {
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            Err("not yet")?;
        }
        let lost = counters.lost();
        println!("{} events, {lost} lost", events.len());
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing::subscriber::set_global_default(Panicking {
        at: std::env::var("PANIC_AT")?,
        has_panicked: AtomicBool::new(false),
    })?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(fg_extension::run_with_telemetry::<Failing>());
    runtime.shutdown_background();
    Ok(result?)
}
