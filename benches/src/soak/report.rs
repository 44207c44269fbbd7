//! The result of a soak: the table, and what failed.

use std::fmt::Write;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::judge::{Metric, Series, count, judge, memory};
use super::ledger::Balance;
use super::load::Load;
use super::{Extension, Items};
use crate::extension_process::{Exit, Sample};

/// The default of `FG_SHUTDOWN_TIMEOUT`, and room for a slow machine.
const DEADLINE: Duration = Duration::from_millis(2500);

type Reading = fn(&Sample) -> u64;

const METRICS: [(Metric, Reading); 5] = [
    (memory("RSS, KB"), |it| it.rss),
    (memory("PSS, KB"), |it| it.pss),
    (memory("anonymous, KB"), |it| it.anonymous),
    (count("descriptors", 1.0), |it| it.descriptors),
    (count("threads", 0.0), |it| it.threads),
];

pub(crate) struct Report {
    extension: Extension,
    samples: usize,
    series: Vec<(&'static Metric, Series)>,
    balances: Vec<(&'static str, Balance)>,
    batches: u64,
    rejected: u64,
    invocations: u64,
    collector: (u64, u64),
    request_failures: Vec<String>,
    exit: Exit,
}

impl Report {
    pub(super) fn new(
        extension: Extension,
        samples: &[Sample],
        items: &Items,
        load: &Load,
        collector: (u64, u64),
        exit: Exit,
    ) -> Self {
        let series = METRICS.iter().map(|(metric, value)| {
            let values: Vec<_> = samples.iter().map(|it| value(it) as f64).collect();
            (metric, judge(&values, metric))
        });
        let lost = Lost::in_log(&exit.log);
        let balances = match extension {
            Extension::Archive => vec![("events", items.events.balance(lost.events))],
            Extension::Forwarder => vec![
                (
                    "log records",
                    items.events.balance(lost.log_records + lost.events),
                ),
                ("spans", items.spans.balance(lost.spans)),
            ],
        };
        Self {
            extension,
            samples: samples.len(),
            series: series.collect(),
            balances,
            batches: load.batches.load(Ordering::Relaxed),
            rejected: load.rejected.load(Ordering::Relaxed),
            invocations: load.invocations.load(Ordering::Relaxed),
            collector,
            request_failures: load
                .failures
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            exit,
        }
    }

    /// Returns what is wrong. An empty list is success.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (metric, series) in &self.series {
            if !series.is_flat {
                failures.push(format!("{} not flat", metric.name));
            }
        }
        for (what, balance) in &self.balances {
            if !balance.is_balanced() {
                failures.push(format!("acknowledged {what} are neither delivered nor reported as lost, or too many are"));
            }
        }
        // The status says whether acknowledged telemetry was lost.
        let is_lossy = self.balances.iter().any(|(_, it)| it.reported > 0);
        if self.exit.status.code() != Some(i32::from(is_lossy)) {
            failures.push(format!(
                "{}, expected {}",
                self.exit.status,
                i32::from(is_lossy)
            ));
        }
        if self.exit.duration > DEADLINE {
            failures.push(format!("the shutdown took {:?}", self.exit.duration));
        }
        if let Some(first) = self.request_failures.first() {
            failures.push(format!(
                "{} requests failed, the first: {first}",
                self.request_failures.len()
            ));
        }
        failures
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{:<18}{:>10}{:>10}{:>10}{:>10}{:>10}\n",
            self.extension.package(),
            "1st",
            "2nd",
            "3rd",
            "4th",
            "max"
        );
        for (metric, series) in &self.series {
            let value = |it: f64| format!("{:.0}", it / metric.divisor);
            let [first, second, third, fourth] = series.quarters.map(value);
            let max = value(series.max);
            let verdict = if series.is_flat { "flat" } else { "GROWS" };
            let _ = writeln!(
                text,
                "  {:<16}{first:>10}{second:>10}{third:>10}{fourth:>10}{max:>10}  {verdict}",
                metric.name
            );
        }
        for (what, it) in &self.balances {
            let verdict = if it.is_balanced() {
                "balanced"
            } else {
                "NOT BALANCED"
            };
            let _ = writeln!(
                text,
                "  {what}: {} acknowledged = {} delivered + {} reported lost ({} without a response, {} repeated)  {verdict}",
                it.acknowledged, it.delivered, it.reported, it.unanswered, it.repeated
            );
        }
        let _ = writeln!(
            text,
            "  {} samples; {} batches, {} rejected with status 503; {} invocations; {} requests to the collector, {} failed",
            self.samples,
            self.batches,
            self.rejected,
            self.invocations,
            self.collector.0,
            self.collector.1
        );
        let _ = writeln!(
            text,
            "  {} in {:.0} ms after SIGTERM; {} log lines, the last:",
            self.exit.status,
            self.exit.duration.as_secs_f64() * 1e3,
            self.exit.log.len()
        );
        for line in self.exit.log.iter().rev().take(2).rev() {
            let _ = writeln!(text, "    {line}");
        }
        for failure in self.failures() {
            let _ = writeln!(text, "  FAILED: {failure}");
        }
        text
    }
}

/// What the log lines of an extension report as lost.
#[derive(Debug, Default, PartialEq)]
struct Lost {
    events: u64,
    spans: u64,
    log_records: u64,
}

impl Lost {
    fn in_log(log: &[String]) -> Self {
        let mut lost = Self::default();
        for line in log {
            // Cumulative, in each line of the forwarder.
            for (_, counts) in line
                .match_indices("dropped because the buffer was full: ")
                .map(|(at, it)| (at, &line[at + it.len()..]))
            {
                let counts = counts.split(';').next().unwrap_or_default();
                lost.spans = lost.spans.max(before(counts, " span"));
                lost.log_records = lost.log_records.max(before(counts, " log record"));
            }
        }
        for line in log {
            if let Some((_, counts)) = line.split_once("not exported within ") {
                lost.spans += before(counts, " span");
                lost.log_records += before(counts, " log record");
            }
            // Once, in the last line.
            if line.contains("not delivered") && line.contains("acknowledged telemetry event") {
                lost.events += before(line, " acknowledged telemetry event");
            }
        }
        lost
    }
}

/// Returns the number before the unit, or 0.
fn before(text: &str, unit: &str) -> u64 {
    let number = text.split_once(unit).map(|(it, _)| it);
    let number = number.and_then(|it| it.rsplit(|it: char| !it.is_ascii_digit()).next());
    number.and_then(|it| it.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::super::events::Numbering;
    use super::*;

    fn lost(lines: &[&str]) -> Lost {
        let lines: Vec<_> = lines.iter().map(|it| (*it).to_owned()).collect();
        Lost::in_log(&lines)
    }

    #[test]
    fn losses_are_read_from_the_log() {
        let full = "WARN a.sh: the export buffer of 1 bytes is full, so the oldest items are dropped; increase \
                    FG_OTLP_BUFFER; exported so far: 7 spans, 8 log records; dropped because the buffer was full: 1 span, 2 log records; queued: 9 bytes";
        let end = "ERROR a.sh: some spans or log records were lost: exported so far: 5 spans, 6 log records; dropped because \
                   the buffer was full: 3 spans, 40 log records";
        let error = "ERROR a.sh: the extension failed to shut down: not exported within 1.2s: 2 spans to http://a:1/v1/traces \
                     (no response in time), 1 log record to http://a:1/v1/logs (no response in time); increase FG_OTLP_FLUSH_TIMEOUT";
        let expected = Lost {
            events: 0,
            spans: 5,
            log_records: 41,
        };
        assert_eq!(lost(&[full, end, error]), expected);
        let undelivered = "ERROR a.sh: 12 acknowledged telemetry events were not delivered within FG_TELEMETRY_TIMEOUT";
        assert_eq!(lost(&[undelivered]).events, 12);
        assert_eq!(lost(&["INFO a.sh: registered"]), Lost::default());
    }

    fn report(
        samples: impl Iterator<Item = Sample>,
        status: i32,
        lines: &[&str],
        delivered: u64,
    ) -> Report {
        let mut items = Items::new(
            Extension::Archive,
            Numbering {
                per_invocation: 100,
            },
        );
        (0..100).for_each(|it| items.acknowledge(it));
        (0..delivered).for_each(|it| items.events.deliver(it));
        let exit = Exit {
            status: ExitStatus::from_raw(status << 8),
            duration: Duration::from_millis(10),
            log: lines.iter().map(|it| (*it).to_owned()).collect(),
        };
        let samples: Vec<_> = samples.collect();
        Report::new(
            Extension::Archive,
            &samples,
            &items,
            &Load::default(),
            (0, 0),
            exit,
        )
    }

    const SAMPLE: Sample = Sample {
        rss: 2_000_000,
        pss: 2_000_000,
        anonymous: 500_000,
        descriptors: 12,
        threads: 2,
    };

    #[test]
    fn a_run_without_losses_exits_with_status_0() {
        let flat = || (0..400).map(|_| SAMPLE);
        assert!(report(flat(), 0, &[], 100).failures().is_empty());
        assert_eq!(
            report(flat(), 1, &[], 100).failures(),
            ["exit status: 1, expected 0"]
        );
    }

    #[test]
    fn a_loss_needs_a_line_and_status_1() {
        let flat = || (0..400).map(|_| SAMPLE);
        let line = "ERROR a.sh: 3 acknowledged telemetry events were not delivered";
        assert!(report(flat(), 1, &[line], 97).failures().is_empty());
        assert_eq!(
            report(flat(), 0, &[line], 97).failures(),
            ["exit status: 0, expected 1"]
        );
        assert_eq!(report(flat(), 0, &[], 97).failures().len(), 1);
    }

    #[test]
    fn each_metric_is_judged() {
        let growing = [
            (|it: u64| Sample {
                rss: 2_000_000 + it * 2000,
                ..SAMPLE
            }) as fn(u64) -> Sample,
            |it| Sample {
                pss: 2_000_000 + it * 2000,
                ..SAMPLE
            },
            |it| Sample {
                anonymous: 500_000 + it * 2000,
                ..SAMPLE
            },
            |it| Sample {
                descriptors: 12 + it / 50,
                ..SAMPLE
            },
            |it| Sample {
                threads: 2 + it / 200,
                ..SAMPLE
            },
        ];
        for (sample, (metric, _)) in growing.iter().zip(&METRICS) {
            let report = report((0..400).map(sample), 0, &[], 100);
            assert_eq!(report.failures(), [format!("{} not flat", metric.name)]);
            assert!(report.text().contains("GROWS"));
        }
    }
}
