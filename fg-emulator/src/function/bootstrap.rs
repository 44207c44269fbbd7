//! The process of a custom runtime's `bootstrap`, and the API that it uses.

use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fg_util::select::{Either, select};
use hyper::body::Bytes;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinSet;

use super::FunctionOutcome;
use crate::http::{self, Api};
use crate::inner::Inner;
use crate::port::ExtensionPorts;
use crate::process::{Process, ProcessExit};
use crate::{Error, TelemetryType};

/// How long an invocation may take (D: the function reads it from `RUNTIME_TIMEOUT`).
const TIMEOUT: Duration = Duration::from_secs(30);
/// The name of the process in reports.
const NAME: &str = "bootstrap";

/// A running `bootstrap`, and the server of its API.
pub(crate) struct Bootstrap {
    process: Mutex<Process>,
    /// A `JoinSet`, because it aborts its tasks on drop.
    _api: JoinSet<()>,
}

impl Bootstrap {
    /// Starts the executable, in the directory that contains it.
    pub(crate) async fn start(path: &Path, inner: &Arc<Inner>) -> Result<Self, Error> {
        let context = || format!("cannot start the function ({})", path.display());
        let path = std::fs::canonicalize(path).map_err(Error::context(context()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(Error::context(context()))?;
        let address = listener.local_addr().map_err(Error::context(context()))?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let mut command = Command::new(&path);
        command
            .envs(inner.environment())
            .env("RUNTIME_API_ADDR", address.to_string())
            .env("RUNTIME_CODE_ROOT", directory)
            .env("RUNTIME_TIMEOUT", TIMEOUT.as_secs().to_string())
            .current_dir(directory);
        let kind = TelemetryType::Function;
        let process = Process::spawn(NAME, command, kind, ExtensionPorts::default(), inner).await?;
        let mut api = JoinSet::new();
        api.spawn(http::serve(listener, Api::Runtime, Arc::clone(inner)));
        Ok(Self {
            process: Mutex::new(process),
            _api: api,
        })
    }

    /// Queues an event for the function, and waits for its response.
    pub(crate) async fn run(
        &self,
        id: &str,
        payload: Bytes,
        inner: &Inner,
    ) -> (FunctionOutcome, Bytes) {
        inner.update(|state| state.runtime.enqueue(id, payload));
        let _cancel = inner.update_on_drop(|state| state.runtime.cancel(id));
        let response = inner.wait_until(|state| state.runtime.take_response(id));
        let response = self.unless_exited(response);
        match tokio::time::timeout(TIMEOUT, response).await {
            Ok(Some(Ok(response))) => (FunctionOutcome::Ok, response),
            Ok(Some(Err(error))) => (FunctionOutcome::Error, error),
            Ok(None) => (FunctionOutcome::Error, Bytes::from_static(EXITED)),
            Err(_) => (FunctionOutcome::Timeout, Bytes::new()),
        }
    }

    /// Returns the output of the future, or `None` if the process exits first.
    pub(crate) async fn unless_exited<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let exit = poll_fn(|cx| pin!(self.process().wait()).poll(cx));
        match select(future, exit).await {
            Either::First(output) => Some(output),
            Either::Second(_) => None,
        }
    }

    pub(crate) fn freeze(&self) {
        self.process().freeze();
    }

    pub(crate) fn thaw(&self) {
        self.process().thaw();
    }

    pub(crate) async fn stop(self, grace_period: Duration) -> Result<ProcessExit, Error> {
        let process = self.process.into_inner();
        process
            .unwrap_or_else(PoisonError::into_inner)
            .stop(grace_period)
            .await
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The response of a function whose process has exited, in the format in which a function reports an error (D, user
/// guide).
const EXITED: &[u8] =
    br#"{"errorType":"FunctionEnded","errorMessage":"the process of the function exited"}"#;
