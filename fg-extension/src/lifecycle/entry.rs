//! The generated `main`: beside the default subscriber this is the only code here that prints.

use std::io::Write;
use std::process::ExitCode;

use fg_util::error::{chain, one_line};

use crate::{Extension, ExtensionName, RunError, TelemetryHandler, run, run_with_telemetry};

/// Runs the extension [`run`] on a runtime of one thread; a failure is one line on stderr and exit status 1.
#[must_use]
pub fn main<T: Extension>() -> ExitCode {
    exit_code(T::NAME, block_on(run::<T>()))
}

/// Does the same with [`run_with_telemetry`].
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
    // A blocking task of the author's must not hold up the exit.
    runtime.shutdown_background();
    result
}

fn exit_code(name: ExtensionName, result: Result<(), RunError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere to report that stderr is closed.
            let _ = writeln!(
                std::io::stderr(),
                "ERROR {name}: {}",
                one_line(&chain(&error))
            );
            ExitCode::FAILURE
        }
    }
}

/// Asserts that the item with the attribute is in the root of the crate: in a module its `main` would never be called.
///
/// # Panics
///
/// If this is the path of another module; in a `const`, that is an error at compile time.
#[track_caller]
pub const fn assert_root(module_path: &str) {
    let bytes = module_path.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        assert!(
            bytes[i] != b':',
            "`#[extension]` generates `main`, so it goes into the root of the crate, `main.rs`, and not into a module"
        );
        i += 1;
    }
}
