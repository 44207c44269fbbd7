//! The hold: nothing is sent before the first invocation.

use std::time::Duration;

use super::clock::FreezeAwareInstant;

/// Holds all data back until the first invocation, which completes the resource, so that the resource is the same in all
/// requests. Otherwise a backend sees two series.
///
/// The first invocation may never come, so data is held for a limited time only. The time in which the process is frozen
/// does not count, because an invocation is what thaws it.
#[derive(Debug)]
pub(super) struct Hold {
    left: Duration,
    /// When it was last checked.
    checked: Option<FreezeAwareInstant>,
}

/// How long data is held while the process runs.
const LONGEST_HOLD: Duration = Duration::from_secs(10);

/// The wait between two checks. If more than twice this time has passed, the process was frozen, or no data was waiting.
const PART: Duration = Duration::from_secs(1);

impl Hold {
    pub(super) fn new() -> Self {
        Self {
            left: LONGEST_HOLD,
            checked: None,
        }
    }

    /// Returns how long to wait before the next check, or `None` if the data need not be held any longer.
    pub(super) fn wait(&mut self, now: FreezeAwareInstant) -> Option<Duration> {
        let checked = self.checked.replace(now);
        let elapsed = checked.map(|checked| checked.elapsed(now));
        let elapsed = elapsed.filter(|elapsed| *elapsed <= 2 * PART);
        self.left = self.left.saturating_sub(elapsed.unwrap_or_default());
        (!self.left.is_zero()).then(|| self.left.min(PART))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_in_which_the_process_runs_counts() {
        let mut hold = Hold::new();
        let mut now = FreezeAwareInstant::now();
        assert_eq!(hold.wait(now), Some(PART));
        now = now + Duration::from_secs(3600);
        assert_eq!(hold.wait(now), Some(PART));
        let mut checks = 0;
        while let Some(wait) = hold.wait(now) {
            now = now + wait;
            checks += 1;
        }
        assert_eq!(checks, 10);
    }
}
