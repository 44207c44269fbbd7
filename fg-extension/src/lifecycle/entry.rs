//! The implementation of the generated `main`. Apart from the default subscriber, it is the only code that prints.

use std::io::Write;
use std::process::ExitCode;

use crate::{Extension, ExtensionName, RunError, TelemetryHandler, run, run_with_telemetry};

/// Calls [`run`](fn@run) on a single-threaded runtime. After an error, prints one line to stderr and returns exit
/// status 1.
#[must_use]
pub fn main<T: Extension>() -> ExitCode {
    exit_code(T::NAME, block_on(run::<T>()))
}

/// Does the same as [`main`], with [`run_with_telemetry`].
#[must_use]
pub fn main_with_telemetry<T: TelemetryHandler>() -> ExitCode {
    exit_code(T::NAME, block_on(run_with_telemetry::<T>()))
}

fn block_on(extension: impl Future<Output = Result<(), RunError>>) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| RunError::runtime("cannot start the tokio runtime", error))?;
    let result = runtime.block_on(extension);
    // The process must exit even if the author's code still runs blocking tasks.
    runtime.shutdown_background();
    result
}

fn exit_code(name: ExtensionName, result: Result<(), RunError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed, there is nowhere to report the error.
            let _ = writeln!(std::io::stderr(), "ERROR {name}: {error:?}");
            ExitCode::FAILURE
        }
    }
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
