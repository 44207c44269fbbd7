//! The implementation of the generated `main`, which is the only code that ends the process.

use std::io;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::log::writer;
use crate::run::{run_until, run_with_telemetry_until};
use crate::{Extension, ExtensionName, RunError, TelemetryHandler, panics};

/// Does the same as [`run`](fn@crate::run), on a single-threaded runtime. After an error, prints one line to stderr and
/// returns exit status 1. If a handler blocks its thread during the shutdown, ends the process with the same status.
#[must_use]
pub fn main<T: Extension>() -> ExitCode {
    let run = Box::pin(run_until::<T>(Some(end_process::<T>)));
    exit_code(T::NAME, block_on(run))
}

/// Does the same as [`main`], with [`run_with_telemetry`](crate::run_with_telemetry).
#[must_use]
pub fn main_with_telemetry<T: TelemetryHandler>() -> ExitCode {
    let run = Box::pin(run_with_telemetry_until::<T>(Some(end_process::<T>)));
    exit_code(T::NAME, block_on(run))
}

/// Ends the process, whose shutdown did not complete within this time. Only the generated `main` has one.
pub(crate) type EndProcess = fn(Duration) -> !;

/// The future that a thread runs.
pub(super) type Main = Pin<Box<dyn Future<Output = Result<(), RunError>>>>;

fn block_on(extension: Main) -> Result<(), RunError> {
    panics::install_hook();
    let runtime = start_runtime().map_err(RunError::no_tokio_runtime)?;
    let result = runtime.block_on(extension);
    // The process must exit even if the author's code still runs blocking tasks.
    runtime.shutdown_background();
    result
}

/// Starts a single-threaded runtime.
#[inline(never)]
pub(super) fn start_runtime() -> io::Result<Runtime> {
    // tokio panics if there are too few file descriptors for the pipe of its signals.
    panics::catch_sync(|| Builder::new_current_thread().enable_all().build())
        .unwrap_or_else(|panic| Err(io::Error::other(panic.message)))
}

fn exit_code(name: ExtensionName, result: Result<(), RunError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writer::write_last(name, &format!("ERROR {name}: {error:?}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Ends the process from the second thread, since the first one is blocked.
#[expect(
    clippy::exit,
    reason = "SIGTERM must end the process even if a handler blocks"
)]
fn end_process<T: Extension>(timeout: Duration) -> ! {
    let error = RunError::blocked(timeout);
    writer::write_last(T::NAME, &format!("ERROR {}: {error:?}\n", T::NAME));
    std::process::exit(1)
}

/// Asserts that the annotated item is in the crate root. In a module, its `main` would never be called.
///
/// # Panics
///
/// Panics if `module_path` is not the path of a crate root. In a constant, this is a compile error.
#[track_caller]
pub const fn assert_root(module_path: &str) {
    let bytes = module_path.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        assert!(
            bytes[i] != b':',
            "`#[extension]` generates `main`, so it must be in the crate root, `main.rs`, and not in a module"
        );
        i += 1;
    }
}
