//! One program that is two extensions: its argument says which of them it runs.

use std::process::ExitCode;

use fg_extension::{Error, Extension, ExtensionName, Invocation, Port, Registration};

struct First;

struct Second;

impl Extension for First {
    const NAME: ExtensionName = ExtensionName::new("extensionFirst.sh");
    const PORT: Port = Port::new(8081);

    async fn init(_: &Registration) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn invoke(&self, invocation: Invocation) -> Result<(), Error> {
        println!("first {}", invocation.trace_id);
        Ok(())
    }
}

impl Extension for Second {
    const NAME: ExtensionName = ExtensionName::new("extensionSecond.sh");
    const PORT: Port = Port::new(8082);

    async fn init(_: &Registration) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn invoke(&self, invocation: Invocation) -> Result<(), Error> {
        println!("second {}", invocation.trace_id);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        Some("first") => fg_extension::run::<First>().await,
        _ => fg_extension::run::<Second>().await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}
