//! The control socket, over which `cargo fg invoke` reaches a running `cargo fg dev`.
//!
//! Each `dev` listens on a Unix socket in a directory that only its user can access. On each connection it sends a
//! greeting. Then it reads one [`InvocationSpec`](crate::invocation::InvocationSpec) per line, and responds to each
//! with an [`InvocationReport`](crate::invocation::InvocationReport) or an error message.

mod control_client;
mod control_server;
mod discovery;
mod wire;

pub(crate) use self::control_client::ControlClient;
pub(crate) use self::control_server::{ControlServer, InvocationReply, InvocationRequest};
pub(crate) use self::discovery::Found;
