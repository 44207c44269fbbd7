//! Reads the kind and the trace ID of each telemetry event.

use std::sync::{Mutex, PoisonError};

use fg_extension::{TelemetryEvent, extension};

struct Reader {
    counter: Mutex<Counter>,
}

#[extension(name = "extensionTelemetry.sh", port = 8081)]
impl Reader {
    #[init]
    async fn open() -> Self {
        let counter = Mutex::new(Counter::new());
        Self { counter }
    }

    #[telemetry(port = 8081, types(platform, function, extension))]
    async fn read(&self, events: Vec<TelemetryEvent>) {
        let mut counter = self.counter.lock().unwrap_or_else(PoisonError::into_inner);
        for event in &events {
            if let TelemetryEvent::Platform(event) = event {
                counter.add(event.name(), event.trace_id().unwrap_or_default());
            }
        }
    }
}

include!("counter.rs");
