//! BUD: limits of the time and memory that an extension takes, where its author sets them.

use std::str::FromStr;
use std::time::Duration;

use fg_emulator::Faults;
use procfs::process::all_processes;

use super::CaseId;
use crate::Error;
use crate::harness::{Harness, Start, StopMode};
use crate::report::{Finding, Report};

/// How many boots are timed; the median counts.
const BOOTS: usize = 5;

/// Limits of the time that a start takes, and of memory, as in `start=50ms,rss=8MB`.
///
/// ```
/// let budget: fg_conformance::Budget = "start=50ms,rss=8MB".parse()?;
/// # Ok::<(), fg_conformance::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    start: Option<Duration>,
    /// In bytes.
    rss: Option<u64>,
}

impl FromStr for Budget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut budget = Self::default();
        for item in text.split(',') {
            let (name, value) = item.split_once('=').unwrap_or((item, ""));
            let value = value.trim();
            let is_double = match name.trim() {
                "start" => {
                    let start = fg_util::duration::parse_with_unit(value);
                    let start = start.ok_or_else(|| {
                        Error::new(format!("`{value}` is no duration, as in start=50ms"))
                    })?;
                    budget.start.replace(start).is_some()
                }
                "rss" => {
                    let rss = fg_util::size::parse(value).ok_or_else(|| {
                        Error::new(format!("`{value}` is no size, as in rss=8MB"))
                    })?;
                    budget.rss.replace(rss).is_some()
                }
                _ => {
                    return Err(Error::new(format!(
                        "`{item}` is no budget: there are start=50ms and rss=8MB"
                    )));
                }
            };
            if is_double {
                return Err(Error::new(format!("`{}` is there twice", name.trim())));
            }
        }
        Ok(budget)
    }
}

impl Budget {
    /// Returns whether no limit is set.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Skips what has no limit.
    pub(crate) fn skip(&self, report: &mut Report) {
        if self.start.is_none() {
            let why = "no budget: use --budget start=50ms";
            report.record(CaseId::Bud01, Finding::skip(why));
        }
        if self.rss.is_none() {
            let why = "no budget: use --budget rss=8MB";
            report.record(CaseId::Bud02, Finding::skip(why));
        }
    }

    /// BUD-02, of the process group with this number.
    pub(crate) fn check_memory(&self, group: Option<u32>, report: &mut Report) {
        let Some(limit) = self.rss else { return };
        let finding = match group.map(resident) {
            Some(Ok(memory)) => within(
                memory,
                limit,
                &format!("{} resident at most (VmHWM)", human_size(memory)),
                &human_size(limit),
            ),
            Some(Err(error)) => Finding::fail(format!("it cannot be measured: {error}")),
            None => Finding::fail("it cannot be measured: its process is gone"),
        };
        report.record(CaseId::Bud02, finding);
    }

    /// BUD-01, in boots of its own.
    pub(crate) async fn check_starts(
        &self,
        harness: &Harness<'_>,
        stop_mode: StopMode,
        report: &mut Report,
    ) -> Result<(), Error> {
        let Some(limit) = self.start else {
            return Ok(());
        };
        let mut times = Vec::new();
        for _ in 0..BOOTS {
            let booted = harness.boot(Faults::default()).await?;
            if let Start::Registered(registered) = &booted.start {
                times.push(registered.startup_duration);
            }
            booted.stop(stop_mode).await?;
        }
        times.sort();
        let finding = match times.get(BOOTS / 2) {
            Some(median) if times.len() == BOOTS => {
                let detail = format!("{median:.1?}, the median of {BOOTS}");
                within(*median, limit, &detail, &format!("{limit:?}"))
            }
            _ => Finding::fail(format!(
                "{} of {BOOTS} boots ended in a registration",
                times.len()
            )),
        };
        report.record(CaseId::Bud01, finding);
        Ok(())
    }
}

fn within<T: PartialOrd>(value: T, limit: T, detail: &str, limit_text: &str) -> Finding {
    if value <= limit {
        Finding::pass(detail)
    } else {
        Finding::fail(format!("{detail}, over the budget of {limit_text}"))
    }
}

/// How many bytes the processes of the group had resident at most, each at its time.
fn resident(group: u32) -> procfs::ProcResult<u64> {
    let mut kilobytes = 0;
    for process in all_processes()? {
        // One that has just ended has nothing resident.
        let Ok(process) = process else { continue };
        let Ok(stat) = process.stat() else { continue };
        if u32::try_from(stat.pgrp) == Ok(group) {
            kilobytes += process.status()?.vmhwm.unwrap_or_default();
        }
    }
    Ok(kilobytes * 1024)
}

/// As in `7.6 MiB`.
fn human_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Budget, human_size};

    #[test]
    fn limits_are_parsed() {
        let budget: Budget = "start=50ms, rss=8MB".parse().unwrap();
        assert_eq!(budget.start, Some(Duration::from_millis(50)));
        assert_eq!(budget.rss, Some(8_000_000));
        let budget: Budget = "rss=900KiB".parse().unwrap();
        assert_eq!((budget.start, budget.rss), (None, Some(900 * 1024)));
        for (text, message) in [
            ("", "`` is no budget: there are start=50ms and rss=8MB"),
            (
                "cpu=3",
                "`cpu=3` is no budget: there are start=50ms and rss=8MB",
            ),
            ("start", "`` is no duration, as in start=50ms"),
            ("start=50", "`50` is no duration, as in start=50ms"),
            ("rss=much", "`much` is no size, as in rss=8MB"),
            ("start=1s,start=2s", "`start` is there twice"),
        ] {
            assert_eq!(text.parse::<Budget>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn sizes_are_rounded() {
        for (bytes, text) in [
            (1023, "1023 B"),
            (4000, "3.9 KiB"),
            (8 * 1024 * 1024, "8.0 MiB"),
            (3 << 29, "1.5 GiB"),
        ] {
            assert_eq!(human_size(bytes), text);
        }
    }
}
