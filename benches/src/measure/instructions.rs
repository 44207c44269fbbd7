//! Instructions, counted by callgrind.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::{Bench, invoke, post_events, schema};
use crate::build::{Built, first_line};
use crate::events;
use crate::load::Stop;
use crate::process::Process;
use crate::results::{Figures, set};

pub(super) fn measure(bench: &Bench<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    if !is_installed() {
        return Ok(());
    }
    bench.each(|built| {
        if built.peer.is_native() {
            let id = built.peer.id;
            set(
                figures,
                "instructions.invocation",
                id,
                count_invocation(bench, built)?,
            );
            set(
                figures,
                "instructions.event",
                id,
                count_event(bench, built)?,
            );
        }
        Ok(())
    })
}

pub(super) fn is_installed() -> bool {
    first_line("valgrind", &["--version"]).is_some()
}

/// Returns the instructions per invocation, on one connection.
pub(crate) fn count_invocation(bench: &Bench<'_>, built: &Built) -> anyhow::Result<f64> {
    difference(
        bench,
        bench.plan.counted_invocations,
        |invocations, callgrind| {
            let process = Process::command(bench.cpus, callgrind(&built.hello.program), None)?;
            invoke(built, &process, 1, Stop::Requests(invocations))?;
            process.terminate()?;
            Ok(())
        },
    )
}

/// Returns the instructions per telemetry event, in batches of 100.
pub(crate) fn count_event(bench: &Bench<'_>, built: &Built) -> anyhow::Result<f64> {
    let batches = events::batches(schema(built), 100);
    difference(bench, bench.plan.counted_events, |events, callgrind| {
        let command = callgrind(&built.telemetry.program);
        let mut process = Process::command(bench.cpus, command, Some(events))?;
        post_events(built, &mut process, &batches, 100, events)?;
        process.terminate()?;
        Ok(())
    })
}

/// Runs two lengths, each with a command of callgrind, and returns the instructions for each unit of length.
pub(super) fn difference(
    bench: &Bench<'_>,
    lengths: [u64; 2],
    run: impl Fn(u64, &dyn Fn(&Path) -> Command) -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let file = bench.directories.output().join("callgrind.out");
    let callgrind = |program: &Path| {
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--tool=callgrind"])
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(program);
        command
    };
    let mut counts = [0.0; 2];
    for (count, length) in counts.iter_mut().zip(lengths) {
        let _ = fs::remove_file(&file);
        run(length, &callgrind)?;
        let profile = fs::read_to_string(&file).context("valgrind wrote no profile")?;
        *count = total(&profile).context("the profile of valgrind has no total")?;
    }
    Ok((counts[1] - counts[0]) / (lengths[1] - lengths[0]) as f64)
}

/// Returns the total of a profile. A process of several threads has a profile with one total.
fn total(profile: &str) -> Option<f64> {
    let mut lines = profile.lines().rev();
    lines
        .find_map(|line| {
            line.strip_prefix("totals: ")
                .or(line.strip_prefix("summary: "))
        })?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_is_read_from_a_profile() {
        let profile = "version: 1\nevents: Ir\nfn=(1) main\n16 400\n\ntotals: 123456\n";
        assert_eq!(total(profile), Some(123_456.0));
        assert_eq!(total("events: Ir\n"), None);
    }
}
