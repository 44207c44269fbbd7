//! The path of received data: correlation with invocations, then the export queue.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::export::{Exporter, ReceivedRequest};
use crate::signal::Signal;
use crate::translate::{Translator, lock};

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

    /// Correlates received data with invocations, and queues it.
    pub(super) async fn pass_on(&self, mut request: ReceivedRequest) {
        correlate(&self.translator, &mut request);
        self.exporter.enqueue_received(request).await;
        // Any data can be the last before a freeze.
        self.exporter.request_flush();
    }
}

fn correlate(translator: &Mutex<Translator>, request: &mut ReceivedRequest) {
    let mut translator = lock(translator);
    let now = SystemTime::now();
    match request {
        ReceivedRequest::Spans(all) => translator.correlate_spans(all, now),
        ReceivedRequest::Logs(all) => translator.correlate_log_records(all, now),
        ReceivedRequest::Metrics(_) => {}
    }
}
