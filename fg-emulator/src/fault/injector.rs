//! The fault injector: decides from the seed when to inject which fault.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Fault, FaultRate, Faults};

/// Decides at each opportunity whether to inject a fault. The decisions depend only on the seed.
#[derive(Debug, Default)]
pub(crate) struct FaultInjector(Mutex<Injected>);

#[derive(Debug, Default)]
struct Injected {
    faults: Faults,
    /// How many opportunities each fault has had.
    opportunities: BTreeMap<Fault, u32>,
}

impl FaultInjector {
    pub(crate) fn new(faults: Faults) -> Self {
        let injector = Self::default();
        injector.replace(faults);
        injector
    }

    /// Injects these faults from now on, instead of the current ones. Opportunities are counted from now on, too.
    pub(crate) fn replace(&self, faults: Faults) {
        *self.lock() = Injected {
            faults,
            opportunities: BTreeMap::new(),
        };
    }

    /// Returns the seed, or `None` if no faults are configured.
    pub(crate) fn seed(&self) -> Option<u64> {
        let faults = &self.lock().faults;
        (!faults.is_empty()).then_some(faults.seed)
    }

    /// Counts an opportunity for the fault, and returns whether to inject the fault.
    pub(crate) fn should_inject(&self, fault: Fault) -> bool {
        let mut injected = self.lock();
        let (seed, rate) = (injected.faults.seed, injected.faults.rates.get(&fault));
        let Some(rate) = rate.copied() else {
            return false;
        };
        let count = injected.opportunities.entry(fault).or_default();
        let number = *count;
        *count += 1;
        match rate {
            FaultRate::First(count) => number < count,
            // This depends only on the seed, the fault, and the number, so that adding a fault does not change the
            // decisions about the others.
            FaultRate::Probability(probability) => {
                fraction(seed, fault as u64, number.into()) < probability
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Injected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a pseudorandom number in `[0, 1)`, mixed as in splitmix64.
fn fraction(seed: u64, fault: u64, number: u64) -> f64 {
    let mut mixed = 0;
    for part in [seed, fault, number] {
        mixed = mix(mixed ^ part);
    }
    // The 53 bits that an `f64` represents exactly.
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::FaultInjector;
    use crate::{Fault, Faults};

    fn injected(spec: &str, seed: u64, fault: Fault) -> Vec<bool> {
        let injector = FaultInjector::new(Faults::parse(spec, seed).unwrap());
        (0..1000).map(|_| injector.should_inject(fault)).collect()
    }

    #[test]
    fn faults_are_injected_at_their_rates() {
        let first = injected("register-503*2", 0, Fault::RegisterUnavailable);
        assert_eq!(first[..4], [true, true, false, false]);
        let once = injected(" register-reset ", 0, Fault::RegisterReset);
        assert_eq!(once[..3], [true, false, false]);
        assert!(
            injected("freeze", 3, Fault::Freeze)
                .iter()
                .all(|injected| *injected)
        );
        assert!(!injected("freeze=0", 3, Fault::Freeze).contains(&true));
        assert!(!injected("freeze", 3, Fault::EventLate).contains(&true));
        let some = injected("freeze=0.3", 3, Fault::Freeze);
        let count = some.iter().filter(|injected| **injected).count();
        assert!((250..350).contains(&count), "{count}");
    }

    #[test]
    fn replaced_faults_have_their_own_opportunities() {
        let first = || Faults::parse("event-late*1", 0).unwrap();
        let injector = FaultInjector::new(first());
        let inject = || [(); 2].map(|()| injector.should_inject(Fault::EventLate));
        assert_eq!(inject(), [true, false]);
        injector.replace(first());
        assert_eq!(inject(), [true, false]);
        assert_eq!(injector.seed(), Some(0));
        injector.replace(Faults::new(7));
        assert_eq!((inject(), injector.seed()), ([false, false], None));
    }

    #[test]
    fn decisions_depend_on_the_seed_and_the_fault() {
        let spec = "freeze=0.5,event-late=0.5";
        let freezes = injected(spec, 1, Fault::Freeze);
        assert_eq!(injected(spec, 1, Fault::Freeze), freezes);
        assert_ne!(injected(spec, 2, Fault::Freeze), freezes);
        assert_ne!(injected(spec, 1, Fault::EventLate), freezes);
    }
}
