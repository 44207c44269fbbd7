//! An invocation of the function: what is asked for, and what came of it. Recordings, JSON output and the control socket
//! have these forms.

mod report;
mod spec;

use serde::{Deserialize, Serialize};

pub(crate) use self::report::{InvocationReport, millis};
pub(crate) use self::spec::{InvocationSpec, Payload};

/// Which kind of function is invoked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FunctionKind {
    /// The emulator's own, whose outcome and duration each invocation chooses.
    Synthetic,
    /// A custom runtime.
    Real,
}
