//! Compares what was acknowledged with what was delivered.

/// The items of one kind, such as log records. Each has an index.
#[derive(Default)]
pub(crate) struct Ledger {
    acknowledged: Vec<bool>,
    delivered: Vec<bool>,
    deliveries: u64,
    /// Items without a response: they may have been accepted or not.
    unanswered: u64,
}

/// The sums of a ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Balance {
    pub(crate) acknowledged: u64,
    /// Acknowledged and delivered.
    pub(crate) delivered: u64,
    /// What the extension itself reported as lost.
    pub(crate) reported: u64,
    pub(crate) unanswered: u64,
    /// Delivered more than once.
    pub(crate) repeated: u64,
}

impl Ledger {
    pub(crate) fn acknowledge(&mut self, index: u64) {
        set(&mut self.acknowledged, index);
    }

    pub(crate) fn leave_unanswered(&mut self) {
        self.unanswered += 1;
    }

    pub(crate) fn deliver(&mut self, index: u64) {
        self.deliveries += 1;
        set(&mut self.delivered, index);
    }

    /// Returns the sums; `reported` is how many items the extension reported as lost.
    pub(crate) fn balance(&self, reported: u64) -> Balance {
        let count = |flags: &[bool]| flags.iter().filter(|it| **it).count() as u64;
        let both = self.acknowledged.iter().zip(&self.delivered);
        Balance {
            acknowledged: count(&self.acknowledged),
            delivered: both.filter(|(sent, came)| **sent && **came).count() as u64,
            reported,
            unanswered: self.unanswered,
            repeated: self.deliveries - count(&self.delivered),
        }
    }
}

impl Balance {
    /// Whether acknowledged = delivered + reported lost. The extension may also have lost, and reported, items whose
    /// acknowledgment did not arrive.
    pub(crate) fn is_balanced(&self) -> bool {
        let missing = self.acknowledged - self.delivered;
        self.acknowledged > 0 && (missing..=missing + self.unanswered).contains(&self.reported)
    }
}

fn set(flags: &mut Vec<bool>, index: u64) {
    // An index comes from a text that was sent, so it is small.
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    if flags.len() <= index {
        flags.resize(index + 1, false);
    }
    flags[index] = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(acknowledged: u64, delivered: impl Iterator<Item = u64>) -> Ledger {
        let mut ledger = Ledger::default();
        (0..acknowledged).for_each(|it| ledger.acknowledge(it));
        delivered.for_each(|it| ledger.deliver(it));
        ledger
    }

    #[test]
    fn everything_delivered_is_balanced() {
        let balance = ledger(10, 0..10).balance(0);
        assert_eq!((balance.delivered, balance.repeated), (10, 0));
        assert!(balance.is_balanced());
    }

    #[test]
    fn a_missing_item_must_be_reported() {
        let ledger = ledger(10, 1..10);
        assert!(!ledger.balance(0).is_balanced());
        assert!(ledger.balance(1).is_balanced());
        assert!(!ledger.balance(2).is_balanced());
    }

    #[test]
    fn another_item_does_not_stand_in_for_a_missing_one() {
        let balance = ledger(10, 1..11).balance(0);
        assert_eq!((balance.acknowledged, balance.delivered), (10, 9));
        assert!(!balance.is_balanced());
    }

    #[test]
    fn items_without_a_response_may_be_delivered_or_lost() {
        let mut ledger = ledger(10, (0..10).chain([10, 3]));
        ledger.leave_unanswered();
        assert!(ledger.balance(0).is_balanced());
        assert!(ledger.balance(1).is_balanced());
        assert!(!ledger.balance(2).is_balanced());
        assert_eq!(ledger.balance(0).repeated, 1);
    }

    #[test]
    fn a_run_that_sent_nothing_is_not_balanced() {
        assert!(!Ledger::default().balance(0).is_balanced());
    }
}
