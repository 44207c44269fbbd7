//! [`FunctionProcess`]: one process of the function, and the task that connects it to the platform.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinSet;

use super::http_server;
use crate::http::{self, Api};
use crate::inner::Inner;
use crate::port::ExtensionPorts;
use crate::process::Process;
use crate::{Error, TelemetryType};

/// The name of the process in reports.
const NAME: &str = "bootstrap";

/// How a function receives its events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FunctionKind {
    /// It requests them from the runtime API (D functiongraph_01_0406).
    CustomRuntime,
    /// It is an HTTP server on port 8000 (D functiongraph_01_1442).
    Http,
}

impl FunctionKind {
    /// Returns what a function must do to become ready, as the end of an error message.
    pub(super) fn readiness(self) -> &'static str {
        match self {
            Self::CustomRuntime => "request an event",
            Self::Http => "listen on 127.0.0.1:8000",
        }
    }

    /// The same, for a function that did not do it.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::CustomRuntime => {
                "a bootstrap must send GET http://$RUNTIME_API_ADDR/v1/runtime/invocation/request"
            }
            Self::Http => "the server of an HTTP function must listen on port 8000",
        }
    }
}

/// A running process of the function.
pub(super) struct FunctionProcess {
    pub(super) process: Process,
    /// The server of the runtime API, or the client of an HTTP function. A `JoinSet`, because it aborts its tasks on drop.
    pub(super) connection: JoinSet<()>,
}

impl FunctionProcess {
    /// Starts the executable, in the directory that contains it.
    pub(super) async fn spawn(
        path: &Path,
        kind: FunctionKind,
        inner: &Arc<Inner>,
    ) -> Result<Self, Error> {
        let context = || format!("cannot start the function ({})", path.display());
        let io_context = || Error::context::<std::io::Error>(context());
        let path = std::fs::canonicalize(path).map_err(io_context())?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        inner.code_root.set(directory).map_err(io_context())?;
        let mut command = Command::new(&path);
        command.envs(inner.environment()).current_dir(directory);
        let mut connection = JoinSet::new();
        match kind {
            FunctionKind::CustomRuntime => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                    .await
                    .map_err(io_context())?;
                let address = listener.local_addr().map_err(io_context())?;
                command.env("RUNTIME_API_ADDR", address.to_string());
                connection.spawn(http::serve(listener, Api::Runtime, Arc::clone(inner)));
            }
            FunctionKind::Http => {
                let port = http_server::wait_until_port_is_free().await;
                port.map_err(Error::context(context()))?;
                connection.spawn(http_server::send_invocations(Arc::clone(inner)));
            }
        }
        let ports = ExtensionPorts::default();
        let process = Process::spawn(NAME, command, TelemetryType::Function, ports, inner).await?;
        Ok(Self {
            process,
            connection,
        })
    }
}
