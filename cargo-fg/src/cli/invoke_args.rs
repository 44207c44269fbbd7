//! The arguments of `cargo fg invoke`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use fg_emulator::FunctionOutcome;

use super::values::{OutputFormat, duration};
use crate::dev::{Output, OutputStyle};
use crate::invocation::InvocationSpec;
use crate::invoke::{InvokePlan, invoke, read_payload};

const AFTER_HELP: &str = "\
The exit status is 1 if an invocation fails. `invoke` draws no timelines; they
appear in the terminal of `cargo fg dev`.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct InvokeArgs {
    /// Event for the function: text, @FILE to read a file, or - to read standard input
    #[arg(default_value = "{}")]
    payload: String,
    /// Number of invocations
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Number of invocations in flight at the same time, at most 1000
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Outcome of the synthetic function: ok, error or timeout (default: ok)
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<FunctionOutcome>,
    /// Time that the synthetic function runs, such as 200ms (default: 0s)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    duration: Option<Duration>,
    /// Process ID of the `cargo fg dev` to use, if several are running (default: the one in this workspace)
    #[arg(long, value_name = "PID")]
    dev: Option<u32>,
    /// Lines for humans, or one JSON object per line
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
            // The lines that an extension printed during a failed invocation do not follow its start.
            output: Output::new(style, true),
        })
    }
}
