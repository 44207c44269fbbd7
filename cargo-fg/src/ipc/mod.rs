//! How `cargo fg invoke` finds a running `cargo fg dev` and talks to it, and what goes over the wire.
//!
//! Each `dev` listens on a Unix socket in a folder that only its user can access. It sends a greeting, reads an
//! [`InvocationSpec`] a line, and answers each with an [`InvocationReport`]. Recordings and JSON output have the same
//! forms.

mod control_client;
mod control_server;
mod control_socket;
mod invocation_report;
mod invocation_spec;

pub(crate) use self::control_client::ControlClient;
pub(crate) use self::control_server::{ControlServer, InvocationReply, InvocationRequest};
pub(crate) use self::control_socket::FunctionKind;
pub(crate) use self::invocation_report::{InvocationReport, millis};
pub(crate) use self::invocation_spec::{InvocationSpec, Payload};
