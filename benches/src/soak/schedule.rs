//! What happens when: the phases of the collector, and the freezes.

use std::time::Duration;

/// How often the phases of the collector repeat: four times per quarter, so that the quarters can be compared.
const CYCLES: u32 = 16;

/// What the collector does with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum CollectorPhase {
    #[default]
    Up,
    /// Responds late.
    Slow,
    /// Responds with status 503, or resets the connection.
    Failing,
}

/// The schedule of a run of this duration.
#[derive(Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) duration: Duration,
}

impl Schedule {
    /// Returns the phase of the collector at this time. The last phase of each cycle is [`CollectorPhase::Up`], so that
    /// the run ends with a collector that works.
    pub(crate) fn collector(&self, elapsed: Duration) -> CollectorPhase {
        let cycle = (self.duration / CYCLES).as_secs_f64();
        match elapsed.as_secs_f64() / cycle % 1.0 {
            position if (0.55..0.7).contains(&position) => CollectorPhase::Slow,
            position if (0.7..0.9).contains(&position) => CollectorPhase::Failing,
            _ => CollectorPhase::Up,
        }
    }

    /// Returns how long the collector fails in each cycle.
    pub(crate) fn outage(&self) -> Duration {
        (self.duration / CYCLES).mul_f64(0.2)
    }

    /// Returns how long a response takes in a slow phase: 1.5 s in a run of an hour.
    pub(crate) fn delay(&self) -> Duration {
        self.duration / CYCLES / 150
    }

    /// Returns the flush interval of the forwarder. In a run of an hour, it is the default, 5 s.
    pub(crate) fn flush_interval(&self) -> Duration {
        self.duration / CYCLES / 45
    }

    /// Returns the time between two samples.
    pub(crate) fn sample_interval(&self) -> Duration {
        (self.duration / 720).max(Duration::from_millis(100))
    }

    /// Returns when the process is frozen, and for how long: on average once in 240th of the run.
    pub(crate) fn freezes(&self) -> Vec<(Duration, Duration)> {
        let interval = (self.duration / 240).max(Duration::from_secs(2));
        let (mut freezes, mut at, mut state) = (Vec::new(), Duration::ZERO, 1);
        loop {
            at += interval.mul_f64(0.5 + random(&mut state));
            let length = interval.mul_f64(0.02 + random(&mut state) * 0.18);
            if at + length >= self.duration {
                return freezes;
            }
            freezes.push((at, length));
            at += length;
        }
    }
}

/// Returns a number from 0 to 1. The same in each run (SplitMix64).
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Schedule = Schedule {
        duration: Duration::from_secs(3600),
    };

    #[test]
    fn each_quarter_has_the_same_phases() {
        let phases = |from: u64| {
            let seconds = from..from + 900;
            let phases = seconds.map(|it| HOUR.collector(Duration::from_secs(it)));
            phases.collect::<Vec<_>>()
        };
        for quarter in 1..4 {
            assert_eq!(phases(quarter * 900), phases(0));
        }
        let failing = phases(0)
            .iter()
            .filter(|it| **it == CollectorPhase::Failing)
            .count();
        assert_eq!(failing, 180);
        assert_eq!(HOUR.outage(), Duration::from_secs(45));
        assert_eq!(HOUR.delay(), Duration::from_millis(1500));
        assert_eq!(HOUR.flush_interval(), Duration::from_secs(5));
    }

    #[test]
    fn a_run_ends_while_the_collector_is_up() {
        assert_eq!(
            HOUR.collector(Duration::from_secs(3599)),
            CollectorPhase::Up
        );
    }

    #[test]
    fn freezes_are_short_and_spread_over_the_run() {
        let freezes = HOUR.freezes();
        assert!((180..300).contains(&freezes.len()), "{}", freezes.len());
        let mut end = Duration::ZERO;
        for (at, length) in freezes {
            assert!(
                at > end && length < Duration::from_millis(3001),
                "{at:?} {length:?}"
            );
            end = at + length;
        }
        assert!(end < HOUR.duration && end > HOUR.duration.mul_f64(0.98));
    }
}
