//! Counts invocations. Implements the `Extension` trait without the attribute, and runs it with two worker threads.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use fg_extension::{Error, Extension, ExtensionName, Invocation, Port, Registration};

struct Counter {
    invocations: AtomicU64,
}

impl Extension for Counter {
    const NAME: ExtensionName = ExtensionName::new("extensionCounter.sh");
    const PORT: Port = Port::new(8087);

    async fn init(_: &Registration) -> Result<Self, Error> {
        Ok(Self {
            invocations: AtomicU64::new(0),
        })
    }

    async fn invoke(&self, _: Invocation) -> Result<(), Error> {
        self.invocations.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn shutdown(&self) -> Result<(), Error> {
        // Blocks while nobody reads stdout, and panics if it is closed. `tracing::warn!` does neither.
        println!("{} invocations", self.invocations.load(Ordering::Relaxed));
        Ok(())
    }
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start the tokio runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(fg_extension::run::<Counter>());
    // Do not let blocking tasks delay the exit past the shutdown deadline.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // `Debug` formats the error and its sources as one line.
            eprintln!("{}: {error:?}", Counter::NAME);
            ExitCode::from(if error.is_rejected() { 3 } else { 1 })
        }
    }
}
