//! BUD: limits for start-up time and memory, set by the user.

use std::str::FromStr;
use std::time::Duration;

use fg_emulator::Faults;

use super::CaseId;
use crate::Error;
use crate::harness::{Harness, ProcessGroup, Start, StopMode};
use crate::report::{Finding, Report};
use crate::system::IS_LINUX;

/// How many boots are measured; the median counts.
const BOOTS: usize = 5;

/// Limits for the start-up time and the memory of an extension, parsed from text such as `start=50ms,rss=8MB`.
///
/// `start` is a duration with a unit, from the start of the script to the registration. `rss` is the peak resident memory of
/// all processes of the extension, in bytes or with a unit (`KB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`).
///
/// ```
/// let budget: fg_conformance::Budget = "start=50ms,rss=8MB".parse()?;
/// # Ok::<(), fg_conformance::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    start: Option<Duration>,
    rss: Option<MemoryLimit>,
}

/// A memory limit, displayed in the units in which it was written: decimal (`MB`) or binary (`MiB`).
#[derive(Clone, Copy, Debug, PartialEq)]
struct MemoryLimit {
    bytes: u64,
    is_binary: bool,
}

impl FromStr for Budget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut budget = Self::default();
        for item in text.split(',') {
            let (name, value) = item.split_once('=').unwrap_or((item, ""));
            let value = value.trim();
            let is_repeated = match name.trim() {
                "start" => {
                    let start = fg_util::duration::parse_with_unit(value);
                    let start = start.ok_or_else(|| {
                        Error::new(format!(
                            "`{value}` is not a duration; write it as `start=50ms`"
                        ))
                    })?;
                    budget.start.replace(start).is_some()
                }
                "rss" => {
                    let bytes = fg_util::size::parse(value).ok_or_else(|| {
                        Error::new(format!("`{value}` is not a size; write it as `rss=8MB`"))
                    })?;
                    let is_binary = value.to_ascii_lowercase().ends_with("ib");
                    let limit = MemoryLimit { bytes, is_binary };
                    budget.rss.replace(limit).is_some()
                }
                _ => {
                    return Err(Error::new(format!(
                        "`{item}` is not a budget; write `start=50ms` or `rss=8MB`"
                    )));
                }
            };
            if is_repeated {
                return Err(Error::new(format!("`{}` is listed twice", name.trim())));
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

    /// Skips the cases without a limit.
    pub(crate) fn skip_unlimited(&self, report: &mut Report) {
        if self.start.is_none() {
            let why = "no limit set; use --budget start=50ms";
            report.record(CaseId::Bud01, Finding::skip(why));
        }
        if self.rss.is_none() {
            let why = "no limit set; use --budget rss=8MB";
            report.record(CaseId::Bud02, Finding::skip(why));
        }
    }

    /// Checks BUD-02 on a process group.
    pub(crate) fn check_memory(&self, group: Option<ProcessGroup>, report: &mut Report) {
        let Some(limit) = self.rss else { return };
        let finding = match group.map(ProcessGroup::peak_resident_bytes) {
            Some(Ok(memory)) => within(
                memory,
                limit.bytes,
                &format!("peak resident memory {}", limit.format(memory)),
                &limit.format(limit.bytes),
            ),
            Some(Err(error)) if !IS_LINUX => {
                Finding::skip(format!("cannot measure the memory: {error}"))
            }
            Some(Err(error)) => Finding::fail(format!("cannot measure the memory: {error}")),
            None => Finding::fail("cannot measure the memory: the process ID is unknown"),
        };
        report.record(CaseId::Bud02, finding);
    }

    /// Checks BUD-01, in separate boots.
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
                let detail = format!("{median:.1?}, the median of {BOOTS} boots");
                within(*median, limit, &detail, &format!("{limit:?}"))
            }
            _ => Finding::fail(format!(
                "the extension registered in {} of {BOOTS} boots",
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
        Finding::fail(format!("{detail}; the budget is {limit_text}"))
    }
}

impl MemoryLimit {
    /// Formats a number of bytes in the units of the limit, for example `7.6 MiB`.
    fn format(self, bytes: u64) -> String {
        const DECIMAL: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
        const BINARY: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let units = if self.is_binary { BINARY } else { DECIMAL };
        match units.iter().find(|(unit, _)| bytes >= *unit) {
            Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
            None => format!("{bytes} B"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Budget, MemoryLimit};

    #[test]
    fn limits_are_parsed() {
        let budget: Budget = "start=50ms, rss=8MB".parse().unwrap();
        assert_eq!(budget.start, Some(Duration::from_millis(50)));
        let decimal = MemoryLimit {
            bytes: 8_000_000,
            is_binary: false,
        };
        assert_eq!(budget.rss, Some(decimal));
        let budget: Budget = "rss=900KiB".parse().unwrap();
        let binary = MemoryLimit {
            bytes: 900 * 1024,
            is_binary: true,
        };
        assert_eq!((budget.start, budget.rss), (None, Some(binary)));
        for (text, message) in [
            ("", "`` is not a budget; write `start=50ms` or `rss=8MB`"),
            (
                "cpu=3",
                "`cpu=3` is not a budget; write `start=50ms` or `rss=8MB`",
            ),
            ("start", "`` is not a duration; write it as `start=50ms`"),
            (
                "start=50",
                "`50` is not a duration; write it as `start=50ms`",
            ),
            ("rss=much", "`much` is not a size; write it as `rss=8MB`"),
            ("start=1s,start=2s", "`start` is listed twice"),
        ] {
            assert_eq!(text.parse::<Budget>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn sizes_are_formatted_in_the_units_of_the_limit() {
        for (bytes, binary, decimal) in [
            (999, "999 B", "999 B"),
            (4_000, "3.9 KiB", "4.0 KB"),
            (8 << 20, "8.0 MiB", "8.4 MB"),
            (3 << 29, "1.5 GiB", "1.6 GB"),
        ] {
            let limit = |is_binary| MemoryLimit {
                bytes: 1,
                is_binary,
            };
            assert_eq!(limit(true).format(bytes), binary);
            assert_eq!(limit(false).format(bytes), decimal);
        }
    }
}
