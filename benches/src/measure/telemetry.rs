//! Throughput and CPU time of telemetry.

use super::{Bench, post_events, schema};
use crate::events;
use crate::results::Samples;

pub(super) fn measure(bench: &Bench<'_>, samples: &mut Samples) -> anyhow::Result<()> {
    for _ in 0..bench.plan.rounds {
        for (size, events) in bench.plan.telemetry {
            bench.each(|built| {
                let batches = events::batches(schema(built), size);
                let mut process = bench.start(&built.telemetry.program, Some(events))?;
                let cpu = process.cpu_time()?;
                let outcome = post_events(built, &mut process, &batches, size, events)?;
                let cpu = process.cpu_time()? - cpu;
                let mut add = |name: &str, value| {
                    samples.add(&format!("telemetry.{size}.{name}"), built.peer.id, value);
                };
                add("rate", events as f64 / outcome.elapsed.as_secs_f64() / 1e3);
                add("cpu", cpu / events as f64 * 1e6);
                Ok(())
            })?;
        }
    }
    Ok(())
}
