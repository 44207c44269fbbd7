//! Judges whether a series of samples is flat.

use crate::stats::median;

/// What is measured, and how much it may grow.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    /// The growth that is always allowed, in the unit of the samples.
    pub(crate) allowance: f64,
    /// The unit that is printed, in units of the samples.
    pub(crate) divisor: f64,
}

/// Memory in bytes, shown in KB. The allocator takes 64 KiB at a time, and keeps the memory of a peak; a leak takes more
/// than four such steps.
pub(crate) const fn memory(name: &'static str) -> Metric {
    Metric {
        name,
        allowance: 4.0 * 65_536.0,
        divisor: 1e3,
    }
}

/// A number, such as that of open descriptors.
pub(crate) const fn count(name: &'static str, allowance: f64) -> Metric {
    Metric {
        name,
        allowance,
        divisor: 1.0,
    }
}

/// The medians of the quarters of a series, its maximum, and the verdict.
#[derive(Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) quarters: [f64; 4],
    pub(crate) max: f64,
    pub(crate) is_flat: bool,
}

/// The rule, for the output.
pub(crate) const RULE: &str = "flat: the median of the last quarter is at most that of the second quarter + 5 %, or + 262 KB of \
                               memory, 1 descriptor, 0 threads if that is more";

/// Judges a series. The first quarter is the warm-up: pools and buffers reach their size.
///
/// Medians ignore single peaks, such as a connection that is open while a sample is taken. The phases of the collector
/// repeat several times per quarter, so each quarter sees the same load.
pub(crate) fn judge(samples: &[f64], metric: &Metric) -> Series {
    let quarter = |index: usize| {
        let (start, end) = (samples.len() * index / 4, samples.len() * (index + 1) / 4);
        median(&samples[start..end])
    };
    let quarters = [0, 1, 2, 3].map(quarter);
    let limit = (quarters[1] * 1.05).max(quarters[1] + metric.allowance);
    Series {
        quarters,
        max: samples.iter().copied().fold(0.0, f64::max),
        // Too few samples prove nothing.
        is_flat: samples.len() >= 40 && quarters[3] <= limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSS: Metric = memory("RSS");
    const DESCRIPTORS: Metric = count("descriptors", 1.0);

    fn series(samples: impl Iterator<Item = f64>, metric: &Metric) -> Series {
        judge(&samples.collect::<Vec<_>>(), metric)
    }

    #[test]
    fn a_constant_series_is_flat() {
        let series = series((0..720).map(|_| 2e6), &RSS);
        assert_eq!(series.quarters, [2e6; 4]);
        assert!(series.is_flat);
    }

    #[test]
    fn growth_during_the_warm_up_is_allowed() {
        let samples = (0..720).map(|it| if it < 180 { f64::from(it) * 1e4 } else { 1.8e6 });
        assert!(series(samples, &RSS).is_flat);
    }

    #[test]
    fn noise_and_peaks_are_allowed() {
        let noise = (0..720).map(|it| {
            if it % 7 == 0 {
                6e6
            } else {
                2e6 + f64::from(it % 13) * 4096.0
            }
        });
        let series = series(noise, &RSS);
        assert!(series.is_flat, "{series:?}");
        assert_eq!(series.max, 6e6);
    }

    #[test]
    fn a_slow_leak_is_not_flat() {
        // 800 bytes per sample: 288 KB from the second quarter to the last.
        let leak = |bytes: f64| (0..720).map(move |it| 2e6 + f64::from(it) * bytes);
        assert!(!series(leak(800.0), &RSS).is_flat);
        assert!(series(leak(700.0), &RSS).is_flat);
    }

    #[test]
    fn five_percent_of_a_large_process_are_allowed() {
        let grows = |to: f64| (0..720).map(move |it| if it < 500 { 10e6 } else { to });
        assert!(series(grows(10.5e6), &RSS).is_flat);
        assert!(!series(grows(10.6e6), &RSS).is_flat);
    }

    #[test]
    fn a_leak_that_starts_late_is_not_flat() {
        let late = (0..720).map(|it| if it < 600 { 2e6 } else { 3e6 });
        assert!(!series(late, &RSS).is_flat);
    }

    #[test]
    fn two_descriptors_more_are_too_many() {
        let more = |by: f64| (0..720).map(move |it| if it < 500 { 12.0 } else { 12.0 + by });
        assert!(series(more(1.0), &DESCRIPTORS).is_flat);
        assert!(!series(more(2.0), &DESCRIPTORS).is_flat);
        assert!(!series(more(1.0), &count("threads", 0.0)).is_flat);
    }

    #[test]
    fn a_shrinking_series_is_flat_and_a_short_one_is_not() {
        assert!(series((0..720).map(|it| 3e6 - f64::from(it)), &RSS).is_flat);
        assert!(!series((0..39).map(|_| 2e6), &RSS).is_flat);
        assert!(!series(std::iter::empty(), &RSS).is_flat);
    }
}
