//! `cargo fg invoke`: has the function of a running `dev` invoked.

use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use fg_emulator::FunctionOutcome;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Format;
use crate::control::Client;
use crate::dev::{Output, Style, Told};
use crate::order::{Order, Payload};
use crate::report::Report;

/// D (user guide): the body of a request.
const LARGEST_PAYLOAD: usize = 6 * 1024 * 1024;

#[derive(clap::Args)]
pub(crate) struct Arguments {
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
    #[arg(long, value_name = "DURATION")]
    duration: Option<humantime::Duration>,
    /// Which cargo fg dev, if there are several
    #[arg(long, value_name = "PID")]
    dev: Option<u32>,
    /// How to tell what happens
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    output: Format,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let order = order(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the tokio runtime")?;
    let failed = runtime.block_on(invoke(arguments, order))?;
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn order(arguments: &Arguments) -> anyhow::Result<Order> {
    let payload = match arguments.payload.as_str() {
        "-" => {
            let mut payload = Vec::new();
            let stdin = std::io::stdin().lock();
            // One byte more tells that it is too large.
            stdin
                .take(LARGEST_PAYLOAD as u64 + 1)
                .read_to_end(&mut payload)
                .context("cannot read the payload from standard input")?;
            payload
        }
        text => match text.strip_prefix('@') {
            Some(path) => std::fs::read(path)
                .with_context(|| format!("cannot read the payload from {path}"))?,
            None => text.as_bytes().to_vec(),
        },
    };
    if payload.len() > LARGEST_PAYLOAD {
        bail!("the payload is too large: FunctionGraph takes 6 MB");
    }
    let default = Order::default();
    Ok(Order {
        payload: Payload(payload),
        outcome: arguments.outcome.unwrap_or(default.outcome),
        duration: arguments.duration.unwrap_or(default.duration),
        ..default
    })
}

/// How many failed.
async fn invoke(arguments: &Arguments, order: Order) -> anyhow::Result<u64> {
    let style = match arguments.output {
        Format::Human => Style::Plain,
        Format::Json => Style::Json,
    };
    let output = Output::new(style, false);
    let client = find(arguments.dev).await?;
    let asks_the_synthetic = arguments.outcome.is_some() || arguments.duration.is_some();
    if asks_the_synthetic && !client.greeting.synthetic {
        bail!(
            "this cargo fg dev has a real function: --outcome and --duration are for the synthetic one"
        );
    }
    let mut clients = Vec::new();
    for _ in 1..arguments.count.min(arguments.concurrency.into()) {
        clients.push(client.another().await?);
    }
    clients.push(client);

    let (order, left) = (Arc::new(order), Arc::new(AtomicU64::new(arguments.count)));
    let (sender, mut reports) = mpsc::channel(1);
    let mut workers = JoinSet::new();
    for client in clients {
        let (order, left, sender) = (Arc::clone(&order), Arc::clone(&left), sender.clone());
        workers.spawn(work(client, order, left, sender));
    }
    drop(sender);
    let (mut times, mut failed) = (Vec::new(), 0);
    loop {
        let report = tokio::select! {
            report = reports.recv() => report,
            // Nobody reads on.
            () = output.closed() => break,
        };
        let Some(report) = report else { break };
        let report = report?;
        failed += u64::from(!report.ok);
        times.push(report.took_ms);
        output.tell(Told::Invoked(&report));
    }
    workers.shutdown().await;
    times.sort_by(f64::total_cmp);
    if let [min_ms, .., max_ms] = times[..] {
        output.tell(Told::Summary {
            invocations: times.len(),
            failed,
            min_ms,
            median_ms: times[times.len() / 2],
            max_ms,
        });
    }
    Ok(failed)
}

/// Sends one after the other, until all have been sent that there are.
async fn work(
    mut client: Client,
    order: Arc<Order>,
    left: Arc<AtomicU64>,
    sender: mpsc::Sender<anyhow::Result<Report>>,
) {
    let take = |left: u64| left.checked_sub(1);
    while left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        .is_ok()
    {
        let report = client.invoke(&order).await;
        let failed = report.is_err();
        if sender.send(report).await.is_err() || failed {
            return;
        }
    }
}

/// The one that is meant.
async fn find(pid: Option<u32>) -> anyhow::Result<Client> {
    if let Some(pid) = pid {
        return Client::of(pid).await;
    }
    let mut clients = Client::all().await?;
    match clients.len() {
        0 => bail!(
            "no cargo fg dev is running: start one in another terminal, as with `cargo fg dev -p NAME`"
        ),
        1 => Ok(clients.remove(0)),
        _ => {
            let all = clients.iter().map(|client| {
                let greeting = &client.greeting;
                let (scripts, folder) = (greeting.scripts.join(", "), greeting.folder.display());
                format!("{} ({scripts} in {folder})", greeting.pid)
            });
            let all: Vec<_> = all.collect();
            bail!(
                "several cargo fg dev are running, choose one with --dev PID: {}",
                all.join("; ")
            )
        }
    }
}
