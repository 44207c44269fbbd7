//! Resident memory: idle, after invocations, after telemetry.

use super::{Bench, invoke, post_events, schema};
use crate::events;
use crate::load::Stop;
use crate::plan::Plan;
use crate::results::Samples;

pub(super) fn measure(bench: &Bench<'_>, samples: &mut Samples) -> anyhow::Result<()> {
    let plan = bench.plan;
    for _ in 0..plan.rounds {
        measure_once(bench, samples, plan)?;
    }
    Ok(())
}

fn measure_once(bench: &Bench<'_>, samples: &mut Samples, plan: &Plan) -> anyhow::Result<()> {
    bench.each(|built| {
        let mut add = |figure, bytes: u64| samples.add(figure, built.peer.id, bytes as f64 / 1e3);
        let process = bench.start(&built.hello.program, None)?;
        add("memory.idle", process.resident_memory()?);
        invoke(built, &process, 16, Stop::Requests(plan.memory_invocations))?;
        add("memory.invocations", process.resident_memory()?);
        drop(process);
        let events = plan.memory_events;
        let mut process = bench.start(&built.telemetry.program, Some(events))?;
        let batches = events::batches(schema(built), 100);
        post_events(built, &mut process, &batches, 100, events)?;
        add("memory.telemetry", process.resident_memory()?);
        Ok(())
    })
}
