//! `cargo fg dev`: build, boot, invoke, stop.

use std::time::Duration;

use anyhow::{Context, bail};
use fg_emulator::{Boot, Event, Invoked, Platform, Reply, Stream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::build::{Target, build};
use crate::manifest::script_name;

/// Between two invocations.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Stop after so many invocations, sent one after the other; without it, one a second until Ctrl-C
    #[arg(long, value_name = "N")]
    invocations: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let program = build(&arguments.target)?;
    let script = script_name(&program.path)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the tokio runtime")?;
    runtime.block_on(dev(Boot::new(script, program.path), arguments.invocations))
}

async fn dev(boot: Boot, invocations: Option<u64>) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    let platform = Platform::start_with(show).await?;
    println!("platform   EXTENSION_API_ADDR={}", platform.address());

    let booted = tokio::select! {
        booted = platform.boot(boot) => booted?,
        () = stop.requested() => return Ok(()),
    };
    println!(
        "registered {} at {}, {} after its start (process {})",
        booted.script,
        booted.address,
        millis(booted.took),
        booted.pid
    );

    let outcome = tokio::select! {
        outcome = invoke(&platform, invocations) => outcome.map(Some),
        script = platform.ended() => Ok(None).inspect(|_: &Option<u64>| println!("ended      {script} ended by itself")),
        () = stop.requested() => Ok(Some(0)),
    };
    let shutdown = platform.shutdown().await?;
    for stopped in &shutdown.extensions {
        println!("stopped    {stopped} after {}", millis(stopped.took));
    }
    match outcome? {
        None => bail!("the extension ended before it was asked to"),
        Some(_) if !shutdown.clean() => bail!("the extension did not end in order"),
        Some(0) => Ok(()),
        Some(failed) => bail!("{failed} invocations were not answered with 200"),
    }
}

/// Invokes, until the number is reached; how many were not answered with 200.
async fn invoke(platform: &Platform, invocations: Option<u64>) -> anyhow::Result<u64> {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut sent, mut failed) = (0, 0);
    while invocations.is_none_or(|invocations| sent < invocations) {
        if invocations.is_none() {
            interval.tick().await;
        }
        let invoked = platform.invoke().await?;
        sent += 1;
        failed += u64::from(!invoked.is_ok());
        show_invoked(sent, &invoked);
    }
    Ok(failed)
}

fn show_invoked(
    number: u64,
    Invoked {
        trace_id, replies, ..
    }: &Invoked,
) {
    for Reply {
        round_trip, result, ..
    } in replies
    {
        let outcome = match result {
            Ok((200, _)) => "200".to_owned(),
            Ok((status, body)) => format!("{status} {}", String::from_utf8_lossy(body)),
            Err(error) => format!("{:#}", anyhow::Error::msg(error.to_string())),
        };
        println!(
            "invoked    {number} {trace_id} {} {outcome}",
            millis(*round_trip)
        );
    }
}

fn show(event: &Event) {
    match event {
        Event::Output(line) if line.stream == Stream::Stderr => {
            println!("  stderr | {}", line.text)
        }
        Event::Output(line) => println!("  stdout | {}", line.text),
        Event::Refused {
            method,
            path,
            status,
            error_message,
        } => {
            println!("refused    {method} {path} with {status}: {error_message}");
        }
        _ => {}
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

/// Ctrl-C, or SIGTERM.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    fn listen() -> anyhow::Result<Self> {
        let cannot = "cannot listen for signals";
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context(cannot)?,
            terminate: signal(SignalKind::terminate()).context(cannot)?,
        })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
