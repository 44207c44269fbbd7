//! Start to registration.

use super::Bench;
use crate::results::{Figures, Samples, set};
use crate::stats::percentile;

pub(super) fn measure(bench: &Bench<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    let mut samples = Samples::default();
    for _ in 0..bench.plan.starts {
        bench.each(|built| {
            let id = built.peer.id;
            let mut sample = |figure, program| {
                // The first start is not measured: it finds the caches as another peer has left them.
                drop(bench.start(program, None)?);
                let process = bench.start(program, None)?;
                samples.add(figure, id, process.start.as_secs_f64() * 1e3);
                anyhow::Ok(())
            };
            sample("start.program", &built.hello.program)?;
            if !built.peer.is_lambda() {
                sample("start.script", &built.hello.script)?;
            }
            Ok(())
        })?;
    }
    samples.add_medians(figures);
    for (figure, peer, values) in samples.iter() {
        set(
            figures,
            &format!("{figure}.p90"),
            peer,
            percentile(values, 0.9),
        );
    }
    Ok(())
}
