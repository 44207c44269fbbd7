//! Sends the invocations that `cargo fg invoke` and the page have requested.

use super::super::batch::Batch;
use super::DevLoop;
use crate::ipc::InvocationRequest;

const NO_INSTANCE: &str =
    "cannot invoke: cargo fg dev has no running instance; save a file, or press r in its terminal";

impl DevLoop {
    /// Sends the requested invocations if the instance has booted, and rejects them if no instance will boot, or only once the
    /// user starts a process.
    pub(super) fn serve_requests(&mut self) {
        match &self.instance {
            Some(instance) if instance.is_up() => {
                for InvocationRequest { spec, reply } in std::mem::take(&mut self.requests) {
                    self.send(spec, Some(reply));
                }
            }
            None if self.pending_build.is_none() => {
                for InvocationRequest { reply, .. } in self.requests.drain(..) {
                    let _ = reply.send(Err(NO_INSTANCE.to_owned()));
                }
            }
            Some(instance) => {
                let Some(script) = instance.awaited_script() else {
                    return;
                };
                for InvocationRequest { reply, .. } in self.requests.drain(..) {
                    let _ = reply.send(Err(format!(
                        "cannot invoke: cargo fg dev waits for {script} to register; start it with the variables that dev \
                         has printed"
                    )));
                }
            }
            None => {}
        }
    }

    /// Sends the invocations of the page that are due.
    pub(super) fn send_batch(&mut self) {
        while let Some((spec, reply)) = self.batch.as_mut().and_then(Batch::next) {
            self.send(spec, Some(reply));
        }
        if self.batch.as_ref().is_some_and(Batch::is_over) {
            self.batch = None;
        }
    }

    /// Ends the invocations of the page because the instance has been shut down.
    pub(super) async fn end_batch(&mut self) {
        let Some(batch) = self.batch.take() else {
            return;
        };
        let progress = batch.end().await;
        if progress.finished < progress.count {
            self.output.warn(&format!(
                "{} of {} invocations of the page have finished; the others were canceled, because the instance was shut down",
                progress.finished, progress.count
            ));
        }
    }
}
