//! `cargo fg invoke`: has the function of a running `dev` invoked.

mod payload;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::bail;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::dev::{DevEvent, Output};
use crate::invocation::{FunctionKind, InvocationReport, InvocationSpec};
use crate::ipc::ControlClient;

pub(crate) use self::payload::read_payload;

/// What `invoke` was asked to do.
pub(crate) struct InvokePlan {
    pub(crate) spec: InvocationSpec,
    /// Whether the spec has parameters that only the synthetic function has.
    pub(crate) needs_synthetic: bool,
    /// How many invocations.
    pub(crate) count: u64,
    /// How many of them at the same time.
    pub(crate) concurrency: u16,
    /// The pid of the `dev`, if there are several.
    pub(crate) dev: Option<u32>,
    pub(crate) output: Output,
}

/// Sends the invocations and emits their reports. Returns how many failed.
pub(crate) async fn invoke(plan: InvokePlan) -> anyhow::Result<u64> {
    let output = plan.output;
    let client = ControlClient::find(plan.dev).await?;
    if plan.needs_synthetic && client.greeting.function != FunctionKind::Synthetic {
        bail!(
            "this cargo fg dev has a real function: --outcome and --duration are for the synthetic one"
        );
    }
    let mut clients = Vec::new();
    for _ in 1..plan.count.min(plan.concurrency.into()) {
        clients.push(client.reconnect().await?);
    }
    clients.push(client);

    let (spec, left) = (Arc::new(plan.spec), Arc::new(AtomicU64::new(plan.count)));
    let (sender, mut reports) = mpsc::channel(1);
    let mut workers = JoinSet::new();
    for client in clients {
        let (spec, left, sender) = (Arc::clone(&spec), Arc::clone(&left), sender.clone());
        workers.spawn(send_invocations(client, spec, left, sender));
    }
    drop(sender);
    let (mut times, mut failed) = (Vec::new(), 0);
    loop {
        let report = tokio::select! {
            report = reports.recv() => report,
            () = output.closed() => break,
        };
        let Some(report) = report else { break };
        let report = report?;
        failed += u64::from(!report.ok);
        times.push(report.duration_ms);
        output.emit(DevEvent::Invoked(&report));
    }
    workers.shutdown().await;
    times.sort_by(f64::total_cmp);
    if let [min_ms, .., max_ms] = times[..] {
        output.emit(DevEvent::Summary {
            invocations: times.len(),
            failed,
            min_ms,
            median_ms: times[times.len() / 2],
            max_ms,
        });
    }
    Ok(failed)
}

/// Sends one invocation after the other on a connection, until none are left.
async fn send_invocations(
    mut client: ControlClient,
    spec: Arc<InvocationSpec>,
    left: Arc<AtomicU64>,
    sender: mpsc::Sender<anyhow::Result<InvocationReport>>,
) {
    let take = |left: u64| left.checked_sub(1);
    while left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        .is_ok()
    {
        let report = client.invoke(&spec).await;
        let failed = report.is_err();
        if sender.send(report).await.is_err() || failed {
            return;
        }
    }
}
