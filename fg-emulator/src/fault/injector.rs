//! Decides when to inject which fault, repeatably.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Fault, FaultRate, Faults};

/// Decides, by the seed, when to inject a fault.
#[derive(Debug, Default)]
pub(crate) struct FaultInjector {
    faults: Faults,
    /// How often each fault could have been injected.
    opportunities: Mutex<BTreeMap<Fault, u32>>,
}

impl FaultInjector {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            opportunities: Mutex::default(),
        }
    }

    /// Returns the seed, if there are faults.
    pub(crate) fn seed(&self) -> Option<u64> {
        (!self.faults.is_empty()).then_some(self.faults.seed)
    }

    /// Returns whether to inject the fault, at this opportunity.
    pub(crate) fn should_inject(&self, fault: Fault) -> bool {
        let Some(rate) = self.faults.rates.get(&fault) else {
            return false;
        };
        let mut opportunities = self
            .opportunities
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = opportunities.entry(fault).or_default();
        let number = *count;
        *count += 1;
        match *rate {
            FaultRate::First(count) => number < count,
            // A function of seed, fault and number alone: no fault changes what another one does.
            FaultRate::Probability(probability) => {
                fraction(self.faults.seed, fault as u64, number.into()) < probability
            }
        }
    }
}

/// From 0 to 1, without 1. The mixing is that of splitmix64.
fn fraction(seed: u64, fault: u64, number: u64) -> f64 {
    let mut mixed = 0;
    for part in [seed, fault, number] {
        mixed = mix(mixed ^ part);
    }
    // As many bits as a float has room for.
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
    fn rates() {
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
    fn seed_decides() {
        let spec = "freeze=0.5,event-late=0.5";
        let freezes = injected(spec, 1, Fault::Freeze);
        assert_eq!(injected(spec, 1, Fault::Freeze), freezes);
        assert_ne!(injected(spec, 2, Fault::Freeze), freezes);
        assert_ne!(injected(spec, 1, Fault::EventLate), freezes);
    }
}
