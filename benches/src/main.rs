//! Benchmarks of extensions, side by side with the same jobs written in other ways.
//!
//! `cargo run --release -p fg-extension-benches` builds the peers, measures all of them in one run, prints tables, and
//! writes `docs/performance.md` with its charts.

mod bars;
mod build;
mod catalog;
mod check;
mod cpu;
mod events;
mod extension_process;
mod http;
mod load;
mod machine;
mod measure;
mod page;
mod pair;
mod peers;
mod plan;
mod platform;
mod process;
mod results;
mod run;
mod soak;
mod stats;
mod svg;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measure extensions side by side, and write docs/performance.md
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(clap::Args)]
struct RunArguments {
    /// Take few samples, to try the benchmarks; write to target/benches
    #[arg(long)]
    quick: bool,
    /// Groups of figures to measure, such as start,memory (default: all); write to target/benches
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    only: Vec<String>,
    /// Peers to measure, such as fg-extension,hyper (default: all); write to target/benches
    #[arg(long, value_name = "PEERS", value_delimiter = ',')]
    peers: Vec<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Compare sizes and the number of crates with benches/figures.json
    Check {
        /// Compare instruction counts as well, which takes a minute and needs valgrind
        #[arg(long)]
        instructions: bool,
        /// Write the measured figures to benches/figures.json
        #[arg(long)]
        update: bool,
    },
    /// Write docs/performance.md again from docs/performance/results.json
    Page,
    /// Measure the memory of two extensions in one function
    Pair {
        /// Write the table to docs/guide/several-extensions.md
        #[arg(long)]
        update: bool,
    },
    /// Run two extensions under load, with freezes and a collector that fails at times; memory and descriptors must stay
    /// flat, and no telemetry may be lost unreported
    Soak(soak::SoakArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        None => run::run(&arguments.run),
        Some(Command::Check {
            instructions,
            update,
        }) => run::check(instructions, update),
        Some(Command::Page) => run::write_page(),
        Some(Command::Pair { update }) => pair::run(update),
        Some(Command::Soak(arguments)) => soak::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
