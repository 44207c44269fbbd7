//! An invocation of the function: its parameters and its report, in the JSON form that recordings, JSON output and the
//! control socket share.

mod report;
mod spec;

use serde::{Deserialize, Serialize};

pub(crate) use self::report::{InvocationReport, millis, stream_name};
pub(crate) use self::spec::{InvocationSpec, MAX_PAYLOAD_BYTES, PAYLOAD_TOO_LARGE, Payload};

/// The kind of function that is invoked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FunctionKind {
    /// The emulator's built-in function, whose outcome and duration each invocation chooses.
    Synthetic,
    /// The bootstrap of a custom runtime.
    Real,
}
