//! An extension without the macro: it implements the trait and has a custom `main` on a multi-threaded runtime.

use std::io::{BufRead, stdin};
use std::process::ExitCode;

use fg_extension::{Error, Extension, ExtensionName, Invocation, Port, Registration};

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

    async fn invoke(&self, _: Invocation) -> Result<(), Error> {
        println!("invoked with {}", self.function);
        Ok(())
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    match fg_extension::run::<ByHand>().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_init() => {
            eprintln!("{error:?}");
            ExitCode::from(2)
        }
        Err(_) => ExitCode::FAILURE,
    }
}
