//! Throughput, latency and CPU time of invocations.

use super::{Bench, invoke};
use crate::load::Stop;
use crate::results::Samples;
use crate::stats::percentile;

pub(super) fn measure(bench: &Bench<'_>, samples: &mut Samples) -> anyhow::Result<()> {
    for _ in 0..bench.plan.rounds {
        for connections in [1, 16] {
            bench.each(|built| {
                if built.peer.is_lambda() && connections > 1 {
                    return Ok(());
                }
                let process = bench.start(&built.hello.program, None)?;
                // The first requests open connections and warm up caches.
                invoke(built, &process, connections, Stop::Requests(200))?;
                let cpu = process.cpu_time()?;
                let stop = Stop::After(bench.plan.invocations);
                let outcome = invoke(built, &process, connections, stop)?;
                let cpu = process.cpu_time()? - cpu;
                let requests = outcome.requests as f64;
                let mut add = |name: &str, value| {
                    let figure = format!("invocations.{connections}.{name}");
                    samples.add(&figure, built.peer.id, value);
                };
                add("rate", requests / outcome.elapsed.as_secs_f64());
                add("p50", percentile(&outcome.latencies, 0.5) * 1e6);
                add("p99", percentile(&outcome.latencies, 0.99) * 1e6);
                add("cpu", cpu / requests * 1e6);
                Ok(())
            })?;
        }
    }
    Ok(())
}
