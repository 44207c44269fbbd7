//! A custom runtime's `bootstrap`, as a process.

use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinSet;

use super::FunctionOutcome;
use crate::boot::Leases;
use crate::http::{self, Api};
use crate::process::{Process, ProcessExit};
use crate::shared::{Shared, unless};
use crate::{Error, TelemetryType};

/// What the function may take (D: `RUNTIME_TIMEOUT` tells it).
const TIMEOUT: Duration = Duration::from_secs(30);
/// How its process is called.
const NAME: &str = "bootstrap";

/// The process, and the API that it asks.
pub(crate) struct Bootstrap {
    process: Mutex<Process>,
    /// A set, because it ends its task when it is dropped.
    _api: JoinSet<()>,
}

impl Bootstrap {
    /// Starts it, in its own folder.
    pub(crate) async fn start(path: &Path, shared: &Arc<Shared>) -> Result<Self, Error> {
        let cannot = || format!("cannot start the function ({})", path.display());
        let path = std::fs::canonicalize(path).map_err(Error::because(cannot()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(Error::because(cannot()))?;
        let address = listener.local_addr().map_err(Error::because(cannot()))?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let mut command = Command::new(&path);
        command
            .envs(shared.environment())
            .env("RUNTIME_API_ADDR", address.to_string())
            .env("RUNTIME_CODE_ROOT", folder)
            .env("RUNTIME_TIMEOUT", TIMEOUT.as_secs().to_string())
            .current_dir(folder);
        let kind = TelemetryType::Function;
        let process = Process::start(NAME, command, kind, Leases::default(), shared).await?;
        let mut api = JoinSet::new();
        api.spawn(http::serve(listener, Api::Runtime, Arc::clone(shared)));
        Ok(Self {
            process: Mutex::new(process),
            _api: api,
        })
    }

    /// Gives it the event, and waits for its answer.
    pub(crate) async fn run(
        &self,
        id: &str,
        payload: Bytes,
        shared: &Shared,
    ) -> (FunctionOutcome, Bytes) {
        shared.change(|state| state.runtime.invoke(id, payload));
        let _forget = shared.finally(|state| state.runtime.forget(id));
        let answered = shared.when(|state| state.runtime.take_answer(id));
        let either = self.unless_it_ends(answered);
        match tokio::time::timeout(TIMEOUT, either).await {
            Ok(Some(Ok(response))) => (FunctionOutcome::Ok, response),
            Ok(Some(Err(error))) => (FunctionOutcome::Error, error),
            Ok(None) => (FunctionOutcome::Error, Bytes::from_static(ENDED)),
            Err(_) => (FunctionOutcome::Timeout, Bytes::new()),
        }
    }

    /// What the future yields, or nothing if the process ends first.
    pub(crate) async fn unless_it_ends<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let end = poll_fn(|cx| pin!(self.process().wait()).poll(cx));
        unless(future, end).await.ok()
    }

    pub(crate) fn freeze(&self) {
        self.process().freeze();
    }

    pub(crate) fn thaw(&self) {
        self.process().thaw();
    }

    pub(crate) async fn stop(self, grace: Duration) -> Result<ProcessExit, Error> {
        let process = self.process.into_inner();
        process
            .unwrap_or_else(PoisonError::into_inner)
            .stop(grace)
            .await
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As a function reports an error itself (D, user guide).
const ENDED: &[u8] =
    br#"{"errorType":"FunctionEnded","errorMessage":"the function's process has ended"}"#;
