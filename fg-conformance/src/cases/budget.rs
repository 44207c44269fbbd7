//! BUD: limits of the time and memory that an extension takes, where its author sets them.

use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
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
    rss: Option<ByteSize>,
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
                    let start = humantime::parse_duration(value).map_err(Error::because(
                        format!("`{value}` is no duration, as in start=50ms"),
                    ))?;
                    budget.start.replace(start).is_some()
                }
                "rss" => {
                    let rss = value.parse::<ByteSize>().map_err(Error::because(format!(
                        "`{value}` is no size, as in rss=8MB"
                    )))?;
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
    #[must_use]
    pub fn is_empty(&self) -> bool {
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
            Some(Ok(most)) => within(
                most <= limit,
                &format!("{most} resident at most (VmHWM)"),
                &limit.to_string(),
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
                times.push(registered.took);
            }
            booted.stop(stop_mode).await?;
        }
        times.sort();
        let finding = match times.get(BOOTS / 2) {
            Some(median) if times.len() == BOOTS => {
                let detail = format!("{median:.1?}, the median of {BOOTS}");
                within(*median <= limit, &detail, &format!("{limit:?}"))
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

fn within(is_within: bool, detail: &str, limit: &str) -> Finding {
    if is_within {
        Finding::pass(detail)
    } else {
        Finding::fail(format!("{detail}, over the budget of {limit}"))
    }
}

/// The most that the processes of the group had resident, each at its time.
fn resident(group: u32) -> procfs::ProcResult<ByteSize> {
    let mut kilobytes = 0;
    for process in all_processes()? {
        // One that has just ended has nothing resident.
        let Ok(process) = process else { continue };
        let Ok(stat) = process.stat() else { continue };
        if u32::try_from(stat.pgrp) == Ok(group) {
            kilobytes += process.status()?.vmhwm.unwrap_or_default();
        }
    }
    Ok(ByteSize::kib(kilobytes))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytesize::ByteSize;

    use super::Budget;

    #[test]
    fn limits_are_parsed() {
        let budget: Budget = "start=50ms, rss=8MB".parse().unwrap();
        assert_eq!(budget.start, Some(Duration::from_millis(50)));
        assert_eq!(budget.rss, Some(ByteSize::mb(8)));
        let budget: Budget = "rss=900KiB".parse().unwrap();
        assert_eq!((budget.start, budget.rss), (None, Some(ByteSize::kib(900))));
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
}
