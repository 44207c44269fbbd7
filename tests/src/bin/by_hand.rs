//! An extension without the macro: it implements the trait and has a custom `main`.

use std::io::{BufRead, stdin};
use std::process::ExitCode;

use fg_extension::{Error, Extension, ExtensionName, Invocation, Port, Registration};
use tokio::runtime::Builder;

struct ByHand {
    function: String,
}

impl Extension for ByHand {
    const NAME: ExtensionName = ExtensionName::new("extensionByHand.sh");
    const PORT: Port = Port::new(8081);

    async fn init(registration: &Registration) -> Result<Self, Error> {
        println!("init");
        // Wait for a line on standard input, which selects the result of `init`.
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            stdin().lock().read_line(&mut line).map(|_| line)
        })
        .await??;
        match line.trim() {
            "fail" => Err("cannot load the secrets".into()),
            "panic" => panic!("cannot load\nthe secrets"),
            _ => Ok(Self {
                function: registration.function_name.clone().unwrap_or_default(),
            }),
        }
    }

    async fn invoke(&self, invocation: Invocation) -> Result<(), Error> {
        println!("invoked with {}", self.function);
        if invocation.trace_id == "block" {
            // Until a line arrives on standard input.
            stdin().lock().read_line(&mut String::new())?;
        }
        Ok(())
    }
}

/// With the variable `THREADS`, the runtime has as many threads; without it, it has none but this one.
fn main() -> ExitCode {
    let threads = std::env::var("THREADS").ok();
    let runtime = match threads.and_then(|threads| threads.parse().ok()) {
        Some(threads) => Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build(),
        None => Builder::new_current_thread().enable_all().build(),
    }
    .expect("the runtime starts");
    let result = runtime.block_on(fg_extension::run::<ByHand>());
    runtime.shutdown_background();
    println!("run returned");
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_init() => {
            eprintln!("{error:?}");
            ExitCode::from(2)
        }
        Err(error) if error.is_shutdown_timeout() => {
            eprintln!("{error:?}");
            ExitCode::from(3)
        }
        Err(_) => ExitCode::FAILURE,
    }
}
