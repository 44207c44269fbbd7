//! How `cargo fg invoke` finds a running `cargo fg dev` and talks to it.
//!
//! Each `dev` listens on a Unix socket in a folder that only its user can access. It sends a greeting, reads an
//! [`InvocationSpec`](crate::invocation::InvocationSpec) a line, and answers each with an
//! [`InvocationReport`](crate::invocation::InvocationReport).

mod control_client;
mod control_server;
mod discovery;
mod wire;

pub(crate) use self::control_client::ControlClient;
pub(crate) use self::control_server::{ControlServer, InvocationReply, InvocationRequest};
