//! The arguments of `cargo fg invoke`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use fg_emulator::FunctionOutcome;

use super::values::{OutputFormat, duration};
use crate::dev::{Output, OutputStyle};
use crate::invocation::InvocationSpec;
use crate::invoke::{InvokePlan, invoke, read_payload};

#[derive(clap::Args)]
pub(super) struct InvokeArgs {
    /// Event for the function: text, @FILE, or - for standard input
    #[arg(default_value = "{}")]
    payload: String,
    /// How many invocations
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// How many of them at the same time
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// How the synthetic function ends: ok, error or timeout
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<FunctionOutcome>,
    /// How long it runs, as in 200ms
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    duration: Option<Duration>,
    /// Which cargo fg dev, if there are several
    #[arg(long, value_name = "PID")]
    dev: Option<u32>,
    /// Format of the output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    output: OutputFormat,
}

impl InvokeArgs {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let plan = self.plan()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the tokio runtime")?;
        Ok(match runtime.block_on(invoke(plan))? {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }

    fn plan(&self) -> anyhow::Result<InvokePlan> {
        let default = InvocationSpec::default();
        let style = match self.output {
            OutputFormat::Human => OutputStyle::Plain,
            OutputFormat::Json => OutputStyle::Json,
        };
        Ok(InvokePlan {
            spec: InvocationSpec {
                payload: read_payload(&self.payload)?,
                outcome: self.outcome.unwrap_or(default.outcome),
                duration: self.duration.unwrap_or(default.duration),
                ..default
            },
            needs_synthetic: self.outcome.is_some() || self.duration.is_some(),
            count: self.count,
            concurrency: self.concurrency,
            dev: self.dev,
            output: Output::new(style, false),
        })
    }
}
