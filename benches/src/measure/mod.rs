//! The measurements, one file each. Peers take turns within a round, so that a slow phase of the machine affects all.

mod instructions;
mod invocations;
mod memory;
mod otlp;
mod start;
mod telemetry;

use std::path::Path;

use anyhow::Context;

use crate::build::{Built, Directories, Hello, Staged, clean_build, crate_count};
use crate::cpu::Cpus;
use crate::events::{self, Schema};
use crate::load::{self, Outcome, Stop};
use crate::peers::{Kind, OURS};
use crate::plan::Plan;
use crate::process::Process;
use crate::results::{Figures, Samples, set};

pub(crate) use instructions::{count_event, count_invocation};
pub(crate) use otlp::count as count_otlp;

/// What every measurement needs.
pub(crate) struct Bench<'a> {
    pub(crate) cpus: Cpus,
    pub(crate) plan: &'a Plan,
    pub(crate) directories: &'a Directories,
    pub(crate) peers: &'a [Built],
    pub(crate) forwarder: Option<&'a Staged>,
}

impl Bench<'_> {
    /// Measures the figures of a group.
    pub(crate) fn measure(&self, group: &str, figures: &mut Figures) -> anyhow::Result<()> {
        let mut samples = Samples::default();
        match group {
            "start" => start::measure(self, figures),
            "memory" => memory::measure(self, &mut samples),
            "size" => {
                self.sizes(figures);
                Ok(())
            }
            "invocations" => invocations::measure(self, &mut samples),
            "telemetry" => telemetry::measure(self, &mut samples),
            "instructions" => instructions::measure(self, figures),
            "otlp" => otlp::measure(self, figures),
            _ => self.builds(figures),
        }?;
        samples.add_medians(figures);
        Ok(())
    }

    /// Calls `measure` for each peer. An error names the peer.
    fn each(&self, mut measure: impl FnMut(&Built) -> anyhow::Result<()>) -> anyhow::Result<()> {
        for built in self.peers {
            measure(built).with_context(|| built.peer.id)?;
        }
        Ok(())
    }

    fn sizes(&self, figures: &mut Figures) {
        for built in self.peers {
            let id = built.peer.id;
            set(
                figures,
                "size.program",
                id,
                built.hello.program_bytes as f64 / 1e3,
            );
            set(figures, "size.zip", id, built.hello.zip_bytes as f64 / 1e3);
        }
    }

    fn builds(&self, figures: &mut Figures) -> anyhow::Result<()> {
        self.each(|built| {
            let hello = match built.peer.kind {
                Kind::Ours => Hello::Ours,
                Kind::Rust {
                    package,
                    features: "",
                } => Hello::Peer(package),
                _ => return Ok(()),
            };
            let crates = crate_count(self.directories, &hello)?;
            set(figures, "build.crates", built.peer.id, crates as f64);
            if self.plan.clean_builds {
                let time = clean_build(self.directories, &hello)?;
                set(figures, "build.seconds", built.peer.id, time.as_secs_f64());
            }
            Ok(())
        })
    }

    fn start(&self, program: &Path, events: Option<u64>) -> anyhow::Result<Process> {
        Process::start(self.cpus, program, events)
    }
}

/// Sends invocations. A Lambda extension gets them one at a time.
fn invoke(
    built: &Built,
    process: &Process,
    connections: usize,
    stop: Stop,
) -> anyhow::Result<Outcome> {
    if built.peer.is_lambda() {
        process.platform.serve_events(stop)
    } else {
        let request = [events::invocation()];
        load::run(process.address()?, &request, None, connections, stop)
    }
}

/// Posts telemetry events, and waits until they have been handled.
fn post_events(
    built: &Built,
    process: &mut Process,
    batches: &[Vec<u8>],
    batch: usize,
    events: u64,
) -> anyhow::Result<Outcome> {
    let address = process.platform.wait_for_subscription()?;
    let warm_up = crate::http::post("/", b"[]");
    let requests = Stop::Requests(events / batch as u64);
    let mut outcome = load::run(address, batches, Some(&warm_up), 4, requests)?;
    process.wait_for_events(events * events::TRACE_ID_BYTES)?;
    outcome.elapsed = outcome.start.elapsed();
    if outcome.retries > 0 {
        let (id, retries) = (built.peer.id, outcome.retries);
        eprintln!("     note: {id} rejected {retries} batches of {batch}, which were sent again");
    }
    Ok(outcome)
}

fn schema(built: &Built) -> Schema {
    if built.peer.is_lambda() {
        Schema::Lambda
    } else {
        Schema::FunctionGraph
    }
}

/// The figures of a peer are only there if it is measured.
fn ours<'a>(bench: &'a Bench<'_>) -> Option<&'a Built> {
    bench.peers.iter().find(|it| it.peer.id == OURS)
}
