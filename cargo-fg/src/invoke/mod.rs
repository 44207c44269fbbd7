//! `cargo fg invoke`: invokes the function of a running `cargo fg dev`.

mod payload;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::bail;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::dev::{DevEvent, Output};
use crate::invocation::{FunctionKind, InvocationReport, InvocationSpec};
use crate::ipc::{ControlClient, Found};

pub(crate) use self::payload::read_payload;

/// The parsed arguments of `cargo fg invoke`.
pub(crate) struct InvokePlan {
    pub(crate) spec: InvocationSpec,
    /// Whether the spec has parameters that apply to the synthetic function only.
    pub(crate) needs_synthetic: bool,
    /// The number of invocations.
    pub(crate) count: u64,
    /// The number of invocations in flight at the same time.
    pub(crate) concurrency: u16,
    /// The process ID of the `dev`; if `None`, it is the only one, or the only one in this workspace.
    pub(crate) dev: Option<u32>,
    pub(crate) output: Output,
}

/// Sends the invocations, and prints the report of each. Returns how many of them failed.
///
/// # Errors
///
/// Returns an error if the `dev` cannot be reached, or exits before all invocations have finished.
pub(crate) async fn invoke(plan: InvokePlan) -> anyhow::Result<u64> {
    let output = plan.output;
    let Found {
        client,
        is_surprising,
    } = ControlClient::find(plan.dev).await?;
    if is_surprising {
        let description = client.greeting.description();
        output.note("dev", &description);
    }
    if plan.needs_synthetic && client.greeting.function != FunctionKind::Synthetic {
        bail!(
            "cannot set --outcome or --duration: they apply to the synthetic function, and this cargo fg dev runs a \
             real one"
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
        let mut report = report?;
        failed += u64::from(!report.ok);
        times.push(report.duration_ms);
        for line in std::mem::take(&mut report.printed) {
            output.emit(DevEvent::Output {
                script: &line.script,
                stream: &line.stream,
                text: &line.text,
            });
        }
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

/// Sends one invocation after the other over a connection, until none are left or one gets no report.
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
