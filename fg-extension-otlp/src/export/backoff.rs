//! How long to wait before a request is tried again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// A collector may ask for more, but not for more than the data are likely to live.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// The wait after the `failures`th failure in a row, which begins when the one is over that the collector asked for.
///
/// All that failed together were asked for the same, so that without it they would come back together.
pub(super) fn delay(failures: u32, retry_after: Option<Duration>) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let full = (FIRST * 2_u32.pow(doublings)).min(LONGEST);
    let jittered = full / 2 + (full / 2).mul_f64(random());
    retry_after.unwrap_or_default().min(LONGEST_ASKED) + jittered
}

/// From 0 to 1; the standard library's hashers are seeded at random.
fn random() -> f64 {
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_doubles_up_to_five_seconds() {
        for (failures, full) in [
            (1, 100),
            (2, 200),
            (3, 400),
            (6, 3200),
            (7, 5000),
            (u32::MAX, 5000),
        ] {
            let full = Duration::from_millis(full);
            for _ in 0..100 {
                let delay = delay(failures, None);
                assert!(delay >= full / 2 && delay <= full, "{failures}: {delay:?}");
            }
        }
        let delays: std::collections::HashSet<_> = (0..100).map(|_| delay(7, None)).collect();
        assert!(delays.len() > 50);
    }

    #[test]
    fn collector_may_ask_for_up_to_five_minutes() {
        for (asked, granted) in [(0, 0), (7, 7), (300, 300), (301, 300), (u64::MAX, 300)] {
            let granted = Duration::from_secs(granted);
            let delays: std::collections::HashSet<_> = (0..100)
                .map(|_| delay(1, Some(Duration::from_secs(asked))))
                .collect();
            assert!(delays.len() > 50);
            for delay in delays {
                let jitter = delay.checked_sub(granted).unwrap();
                assert!(jitter >= FIRST / 2 && jitter <= FIRST, "{asked}: {delay:?}");
            }
        }
    }
}
