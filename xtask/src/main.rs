//! Maintenance commands of this repository, run as `cargo xtask <command>`.

mod bless;
mod collectors;
mod dist;
mod fuzz;
mod mutations;
mod packages;
mod public_api;
mod release_check;
mod run;
mod screenshots;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask bless                 update the expected outputs of tests; review the diff afterwards
cargo xtask collectors            install rotel, oteltap and the Python SDK of OpenTelemetry into target/collectors, and run
                                  the tests of the OTLP export that need them
cargo xtask collectors phoenix    install phoenix, which takes more than 800 MB, and run the test that needs it
cargo xtask dist [TARGET]         build cargo-fg as a static program in target/dist, with its archive for cargo binstall
cargo xtask dist [TARGET] --check
                                  also build it again in another directory, and check that it is the same program
cargo xtask fuzz [TARGET] [--seconds SECONDS]
                                  run one fuzz target or all of them, each for 60 seconds or as long as given
cargo xtask mutations [TEXT]      check that the simulation finds bugs that are put into the runtime
cargo xtask package               package the published crates, and check which files they contain
cargo xtask package --compile     also check that they compile without the rest of the repository
cargo xtask public-api            compare the public API of each crate with its public-api.txt
cargo xtask public-api --update   update public-api.txt
cargo xtask release-check         check that everything is ready to publish, and print the steps that remain
cargo xtask screenshots           take the screenshots of the guide; needs Chromium, chromedriver, and ports 8081 to 8084
";

fn main() -> ExitCode {
    if let Some(code) = public_api::rustdoc() {
        return code;
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["bless"] => bless::bless(),
        ["collectors"] => collectors::test(),
        ["collectors", "phoenix"] => collectors::test_phoenix(),
        ["dist"] => dist::dist(dist::TARGETS[0]),
        ["dist", "--check"] => dist::check(dist::TARGETS[0]),
        ["dist", target] if dist::TARGETS.contains(&target) => dist::dist(target),
        ["dist", target, "--check"] if dist::TARGETS.contains(&target) => dist::check(target),
        ["fuzz", ref arguments @ ..] => match fuzz_arguments(arguments) {
            Some((target, seconds)) => fuzz::fuzz(target, seconds),
            None => return usage(),
        },
        ["mutations"] => mutations::check(""),
        ["mutations", filter] => mutations::check(filter),
        ["release-check"] => release_check::check(),
        ["screenshots"] => screenshots::take(),
        ["package"] => packages::check(),
        ["package", "--compile"] => packages::compile(),
        ["public-api"] => public_api::compare().map(drop),
        ["public-api", "--update"] => public_api::update(),
        _ => return usage(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprint!("{HELP}");
    ExitCode::from(2)
}

/// Returns the target, if there is one, and the number of seconds.
fn fuzz_arguments<'a>(arguments: &[&'a str]) -> Option<(Option<&'a str>, u32)> {
    let (arguments, seconds) = match arguments {
        [arguments @ .., "--seconds", seconds] => (arguments, seconds.parse().ok()?),
        arguments => (arguments, 60),
    };
    match arguments {
        [] => Some((None, seconds)),
        [target] if !target.starts_with('-') => Some((Some(*target), seconds)),
        _ => None,
    }
}
