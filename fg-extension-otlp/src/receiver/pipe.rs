//! The way of received data: correlation with invocations, then the export queue.

use std::sync::{Arc, Mutex};

use crate::export::{Exporter, ReceivedData, ReceivedResource};
use crate::signal::Signal;
use crate::translate::Translator;
use crate::turn::Turn;

/// Where received data goes.
#[derive(Clone)]
pub(crate) struct Pipe {
    pub(crate) translator: Arc<Mutex<Translator>>,
    pub(crate) exporter: Arc<Exporter>,
    /// The size of the export buffer, `FG_OTLP_BUFFER`.
    pub(crate) buffer: usize,
}

impl Pipe {
    /// Returns whether the signal is exported. Otherwise, received data is accepted and dropped: the setting is the
    /// user's, and an SDK would log an error for each request that is rejected.
    pub(super) fn is_on(&self, signal: Signal) -> bool {
        self.exporter.is_on(signal)
    }

    /// Waits until half of the export buffer is free, or the collector is down.
    pub(super) async fn wait_for_capacity(&self) {
        self.exporter.wait_for_capacity().await;
    }

    /// Correlates the parts of received data with invocations, and queues them.
    pub(super) async fn pass_on(&self, resource: &ReceivedResource, parts: Vec<ReceivedData>) {
        let mut turn = Turn::start();
        for part in parts {
            turn.yield_before(part.encoded_len()).await;
            self.exporter.enqueue_received(resource, &part);
        }
        // Any data can be the last before a freeze.
        self.exporter.request_flush();
    }
}
