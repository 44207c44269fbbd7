//! The commands that the page sends to the loop of `dev`.

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::invocation::InvocationSpec;

/// How many commands can wait for the loop of `dev`.
const CAPACITY: usize = 64;

/// A command, with the sender for its reply.
pub(crate) struct PageRequest {
    pub(crate) command: PageCommand,
    pub(crate) reply: oneshot::Sender<PageReply>,
}

/// What a command has achieved, or the reason why it cannot be executed now.
pub(crate) type PageReply = Result<Executed, String>;

pub(crate) enum PageCommand {
    Invoke(BatchSpec),
    /// Sends no more invocations of the current batch.
    StopInvocations,
    Freeze,
    Thaw,
    Rebuild,
    ShutDown,
    /// Replaces the faults; the list is valid, or empty.
    SetFaults(String),
}

/// Invocations that are requested together.
pub(crate) struct BatchSpec {
    pub(crate) spec: InvocationSpec,
    pub(crate) count: u64,
    /// The number of invocations in flight at the same time.
    pub(crate) concurrency: usize,
}

impl BatchSpec {
    /// Returns a single invocation.
    pub(crate) fn one(spec: InvocationSpec) -> Self {
        Self {
            spec,
            count: 1,
            concurrency: 1,
        }
    }
}

/// The result of a command, as JSON.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Executed {
    Done {},
    Faults { faults: String, seed: Option<u64> },
}

/// Returns a channel for commands.
pub(crate) fn channel() -> (mpsc::Sender<PageRequest>, mpsc::Receiver<PageRequest>) {
    mpsc::channel(CAPACITY)
}
