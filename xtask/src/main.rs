//! Maintenance commands of this repository, run as `cargo xtask <command>`.

mod bless;
mod mutations;
mod public_api;
mod rotel;
mod run;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask bless                 update the expected outputs of tests; review the diff afterwards
cargo xtask mutations [TEXT]      check that the simulation finds bugs that are put into the runtime
cargo xtask public-api            compare the public API of each crate with its public-api.txt
cargo xtask public-api --update   update public-api.txt
cargo xtask rotel                 install rotel, a collector, into target/rotel and run the tests that need it
";

fn main() -> ExitCode {
    if let Some(code) = public_api::rustdoc() {
        return code;
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["bless"] => bless::bless(),
        ["mutations"] => mutations::check(""),
        ["mutations", filter] => mutations::check(filter),
        ["public-api"] => public_api::compare(),
        ["public-api", "--update"] => public_api::update(),
        ["rotel"] => rotel::test(),
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
