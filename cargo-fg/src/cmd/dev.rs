//! `cargo fg dev`: build, boot, invoke, stop.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use fg_emulator::{Boot, Event, Invoked, Platform, Reply, Stopped, Stream, Subscription};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::subject::Subject;

/// Between two invocations.
const INTERVAL: Duration = Duration::from_secs(1);

/// Told when nobody reads our output any more, as behind a `| head`.
static OUTPUT_CLOSED: Notify = Notify::const_new();

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Stop after so many invocations, sent one after the other; without it, one a second until Ctrl-C
    #[arg(long, value_name = "N")]
    invocations: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let prepared = arguments.subject.prepare()?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the tokio runtime")?;
    runtime.block_on(dev(prepared.boot(), arguments.invocations))?;
    Ok(ExitCode::SUCCESS)
}

/// How the invoking ended.
enum Outcome {
    /// All were sent; so many were not answered with 200.
    Sent {
        failed: u64,
    },
    Interrupted,
    /// The extension with this script ended by itself.
    Ended(String),
}

async fn dev(boot: Boot, invocations: Option<u64>) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    let platform = Platform::start_with(show).await?;
    say(
        "platform",
        format_args!("EXTENSION_API_ADDR={}", platform.address()),
    );

    let booted = tokio::select! {
        // What the extension printed, which is the source of this error, was shown as it came.
        booted = platform.boot(boot) => booted.map_err(|error| anyhow!("{error}"))?,
        () = stop.requested() => return Ok(()),
    };
    let (script, address, took) = (booted.script, booted.address, millis(booted.took));
    say(
        "registered",
        format_args!("{script} at {address}, {took} after its start"),
    );

    let outcome = tokio::select! {
        failed = invoke(&platform, invocations) => Outcome::Sent { failed: failed? },
        script = platform.ended() => Outcome::Ended(script),
        () = stop.requested() => Outcome::Interrupted,
    };
    let shutdown = platform.shutdown().await?;
    for Stopped {
        script,
        status,
        took,
        killed,
        ..
    } in &shutdown.extensions
    {
        let killed = if *killed {
            ", killed: it did not heed SIGTERM"
        } else {
            ""
        };
        say(
            "stopped",
            format_args!("{script} in {}, {status}{killed}", millis(*took)),
        );
    }
    match outcome {
        Outcome::Ended(script) => bail!("{script} ended before it was asked to"),
        _ if !shutdown.clean() => bail!("the extension did not end in order"),
        Outcome::Sent { failed: 1.. } => bail!("not every invocation was answered with 200"),
        Outcome::Sent { failed: 0 } | Outcome::Interrupted => Ok(()),
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
        show_invoked(sent, invoked);
    }
    Ok(failed)
}

fn show_invoked(
    number: u64,
    Invoked {
        trace_id, replies, ..
    }: Invoked,
) {
    for Reply {
        round_trip, result, ..
    } in replies
    {
        let took = millis(round_trip);
        let outcome = match result {
            Ok((200, _)) => format!("200 in {took}"),
            Ok((status, body)) => format!("{status} in {took}: {}", String::from_utf8_lossy(&body)),
            Err(error) => format!("failed in {took}: {:#}", anyhow::Error::new(error)),
        };
        say("invoked", format_args!("#{number} {trace_id} {outcome}"));
    }
}

fn show(event: &Event) {
    match event {
        Event::Output(line) if line.stream == Stream::Stderr => say("stderr", &line.text),
        Event::Output(line) => say("stdout", &line.text),
        Event::Refused {
            method,
            path,
            status,
            error_message,
        } => {
            say(
                "refused",
                format_args!("{method} {path} with {status}: {error_message}"),
            );
        }
        Event::Subscribed(Subscription { uri, types, .. }) => {
            let types: Vec<_> = types.iter().map(ToString::to_string).collect();
            say("subscribed", format_args!("{uri} {}", types.join(", ")));
        }
        Event::TelemetryDelivered {
            events,
            status,
            took,
            ..
        } => {
            let (events, took) = (count(*events), millis(*took));
            say("telemetry", format_args!("{events}, {status} in {took}"));
        }
        Event::TelemetryLost { events, reason } => {
            say("lost", format_args!("{}: {reason}", count(*events)));
        }
        _ => {}
    }
}

fn count(events: usize) -> String {
    let s = if events == 1 { "" } else { "s" };
    format!("{events} event{s}")
}

/// One line: what it is, and the rest.
fn say(what: &str, text: impl Display) {
    if writeln!(std::io::stdout(), "{what:>12} {text}").is_err() {
        OUTPUT_CLOSED.notify_one();
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

/// Ctrl-C, SIGTERM, a closed terminal, or the end of whoever reads our output.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stop {
    fn listen() -> anyhow::Result<Self> {
        let cannot = "cannot listen for signals";
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context(cannot)?,
            terminate: signal(SignalKind::terminate()).context(cannot)?,
            hangup: signal(SignalKind::hangup()).context(cannot)?,
        })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
            () = OUTPUT_CLOSED.notified() => {}
        }
    }
}
