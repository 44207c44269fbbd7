//! The state of the controls, which the page receives as the event `state`.

use serde::Serialize;

/// What the page can control, and what runs at the moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PageState {
    pub(crate) mode: PageMode,
    pub(crate) instance: InstanceState,
    pub(crate) frozen: bool,
    pub(crate) building: bool,
    /// The invocations that the page has requested together, while they are being sent.
    pub(crate) batch: Option<BatchProgress>,
    /// The faults that are injected, in the form of the command line; empty if there are none.
    pub(crate) faults: String,
    pub(crate) seed: Option<u64>,
    /// Whether the function is synthetic, so that an invocation can choose its outcome.
    pub(crate) synthetic: bool,
}

/// The command that serves the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PageMode {
    Dev,
    Check,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InstanceState {
    /// No instance runs, but another one can be booted.
    None,
    Booting,
    Up,
    /// No instance will be booted anymore.
    Ended,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct BatchProgress {
    pub(crate) sent: u64,
    pub(crate) finished: u64,
    pub(crate) count: u64,
}

impl PageState {
    /// Returns the state of a command that the page cannot control.
    pub(crate) fn without_controls(mode: PageMode) -> Self {
        Self {
            mode,
            instance: InstanceState::None,
            frozen: false,
            building: false,
            batch: None,
            faults: String::new(),
            seed: None,
            synthetic: false,
        }
    }

    pub(super) fn json(&self) -> String {
        // Strings and numbers can always be serialized.
        serde_json::to_string(self).unwrap_or_default()
    }
}
