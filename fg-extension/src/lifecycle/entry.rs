//! The program around [`run`]: beside the default subscriber this is the only code here that prints, as `main`.

use std::io::Write;
use std::process::ExitCode;

use crate::{Extension, RunError, run};
use fg_util::error::{chain, one_line};

/// What the generated `main` does: [`run`] on a runtime of one thread; a failure is one line on stderr and
/// exit status 1.
#[must_use]
pub fn main<T: Extension>() -> ExitCode {
    match run_to_end::<T>() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere to report that stderr is closed.
            let _ = writeln!(
                std::io::stderr(),
                "ERROR {}: {}",
                T::NAME,
                one_line(&chain(&error))
            );
            ExitCode::FAILURE
        }
    }
}

fn run_to_end<T: Extension>() -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| RunError::runtime("cannot start the tokio runtime", error))?;
    let ended = runtime.block_on(run::<T>());
    // A blocking task of the author's must not hold up the end.
    runtime.shutdown_background();
    ended
}

/// What is generated beside an item that is not in the crate's root is no program: nobody would call its `main`.
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
