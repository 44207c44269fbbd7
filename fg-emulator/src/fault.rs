//! Faults: what a platform may do on a bad day, repeatable by a seed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use crate::Error;

/// What can go wrong. Its text is what [`Faults::parse`] reads.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Fault {
    /// `register-slow`: a registration is answered after a second.
    RegisterSlow,
    /// `register-rejected`: a registration is refused with 400.
    RegisterRejected,
    /// `register-reset`: the connection of a registration is reset.
    RegisterReset,
    /// `register-503`: a registration is answered with 503.
    RegisterUnavailable,
    /// `event-duplicate`: an invocation is posted twice, with one trace id.
    EventDuplicate,
    /// `event-late`: an invocation is posted when the function has ended.
    EventLate,
    /// `event-malformed`: a body that is cut off is posted before the invocation.
    EventMalformed,
    /// `event-huge`: the invocation has an unknown field of 5 MiB.
    EventHuge,
    /// `telemetry-before`: the telemetry of an invocation's start is delivered before it is posted.
    TelemetryBefore,
    /// `telemetry-after`: no telemetry is delivered until the invocation was answered.
    TelemetryAfter,
    /// `freeze`: the instance is frozen for 200 milliseconds, before the invocation or after it.
    Freeze,
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultRate {
    /// The first so many times that it could.
    First(u32),
    /// That share of the times, from 0 to 1, as the seed has it.
    Probability(f64),
}

/// Which faults a platform has, and how often they strike.
///
/// The same seed gives the same faults, as long as what happens happens in the same order.
///
/// ```
/// # fn test() -> Result<(), fg_emulator::Error> {
/// use fg_emulator::{Fault, Faults, FaultRate};
///
/// let faults = Faults::parse("register-503*2,event-duplicate=0.3,freeze", 7)?;
/// let same = Faults::new(7)
///     .with(Fault::RegisterUnavailable, FaultRate::First(2))
///     .with(Fault::EventDuplicate, FaultRate::Probability(0.3))
///     .with(Fault::Freeze, FaultRate::Probability(1.0));
/// assert_eq!(faults, same);
/// # Ok(())
/// # }
/// # test().unwrap();
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    seed: u64,
    rates: BTreeMap<Fault, FaultRate>,
}

impl Faults {
    /// None so far.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rates: BTreeMap::new(),
        }
    }

    /// Adds one; a share below 0 counts as 0, above 1 as 1.
    #[must_use]
    pub fn with(mut self, fault: Fault, rate: FaultRate) -> Self {
        self.rates.insert(fault, rate);
        self
    }

    /// Reads a list as `register-503*2,event-duplicate=0.3,freeze`: the first two times, three times in ten,
    /// always. A fault of the registration without a rate strikes once.
    ///
    /// # Errors
    ///
    /// If a fault is not known, is there twice, or its rate is none.
    pub fn parse(spec: &str, seed: u64) -> Result<Self, Error> {
        let mut faults = Self::new(seed);
        for item in spec.split(',').map(str::trim) {
            let (fault, rate) = parse_item(item)?;
            if faults.rates.insert(fault, rate).is_some() {
                return Err(Error::new(format!("fault `{fault}` is there twice")));
            }
        }
        Ok(faults)
    }

    /// What makes it repeatable.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rates.is_empty()
    }
}

fn parse_item(item: &str) -> Result<(Fault, FaultRate), Error> {
    if let Some((name, count)) = item.split_once('*') {
        let rate = count.trim().parse().map(FaultRate::First).map_err(|_| {
            Error::new(format!(
                "`{count}` in `{item}` is no number of times, as in `{name}*2`"
            ))
        })?;
        return Ok((name.trim().parse()?, rate));
    }
    if let Some((name, share)) = item.split_once('=') {
        let number = share.trim().parse().ok();
        let share = number
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or_else(|| {
                Error::new(format!(
                    "`{share}` in `{item}` is no share from 0 to 1, as in `{name}=0.3`"
                ))
            })?;
        return Ok((name.trim().parse()?, FaultRate::Probability(share)));
    }
    let fault: Fault = item.parse()?;
    let rate = match fault {
        Fault::RegisterSlow
        | Fault::RegisterRejected
        | Fault::RegisterReset
        | Fault::RegisterUnavailable => FaultRate::First(1),
        _ => FaultRate::Probability(1.0),
    };
    Ok((fault, rate))
}

const NAMES: [(Fault, &str); 11] = [
    (Fault::RegisterSlow, "register-slow"),
    (Fault::RegisterRejected, "register-rejected"),
    (Fault::RegisterReset, "register-reset"),
    (Fault::RegisterUnavailable, "register-503"),
    (Fault::EventDuplicate, "event-duplicate"),
    (Fault::EventLate, "event-late"),
    (Fault::EventMalformed, "event-malformed"),
    (Fault::EventHuge, "event-huge"),
    (Fault::TelemetryBefore, "telemetry-before"),
    (Fault::TelemetryAfter, "telemetry-after"),
    (Fault::Freeze, "freeze"),
];

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = NAMES.iter().find(|(_, name)| *name == text);
        known.map(|(fault, _)| *fault).ok_or_else(|| {
            let names: Vec<_> = NAMES.iter().map(|(_, name)| *name).collect();
            Error::new(format!(
                "fault `{text}` is unknown; there are {}",
                names.join(", ")
            ))
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(fault, _)| fault == self);
        f.write_str(name.map_or("", |(_, name)| *name))
    }
}

/// Decides whether a fault strikes.
#[derive(Debug, Default)]
pub(crate) struct Dice {
    faults: Faults,
    asked: Mutex<BTreeMap<Fault, u32>>,
}

impl Dice {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            asked: Mutex::default(),
        }
    }

    /// The seed, if there are faults that it could be blamed for.
    pub(crate) fn seed(&self) -> Option<u64> {
        (!self.faults.is_empty()).then_some(self.faults.seed)
    }

    pub(crate) fn strikes(&self, fault: Fault) -> bool {
        let Some(rate) = self.faults.rates.get(&fault) else {
            return false;
        };
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = asked.entry(fault).or_default();
        let number = *asked;
        *asked += 1;
        match *rate {
            FaultRate::First(count) => number < count,
            // A function of seed, fault and number alone: no fault changes what another one does.
            FaultRate::Probability(share) => {
                fraction(self.faults.seed, fault as u64, number.into()) < share
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
    use super::{Dice, Fault, FaultRate, Faults, NAMES};

    fn struck(spec: &str, seed: u64, fault: Fault) -> Vec<bool> {
        let dice = Dice::new(Faults::parse(spec, seed).unwrap());
        (0..1000).map(|_| dice.strikes(fault)).collect()
    }

    #[test]
    fn rates() {
        let first = struck("register-503*2", 0, Fault::RegisterUnavailable);
        assert_eq!(first[..4], [true, true, false, false]);
        let once = struck(" register-reset ", 0, Fault::RegisterReset);
        assert_eq!(once[..3], [true, false, false]);
        assert!(
            struck("freeze", 3, Fault::Freeze)
                .iter()
                .all(|struck| *struck)
        );
        assert!(!struck("freeze=0", 3, Fault::Freeze).contains(&true));
        assert!(!struck("freeze", 3, Fault::EventLate).contains(&true));
        let some = struck("freeze=0.3", 3, Fault::Freeze);
        let count = some.iter().filter(|struck| **struck).count();
        assert!((250..350).contains(&count), "{count}");
    }

    #[test]
    fn seed_decides() {
        let spec = "freeze=0.5,event-late=0.5";
        let freezes = struck(spec, 1, Fault::Freeze);
        assert_eq!(struck(spec, 1, Fault::Freeze), freezes);
        assert_ne!(struck(spec, 2, Fault::Freeze), freezes);
        assert_ne!(struck(spec, 1, Fault::EventLate), freezes);
    }

    #[test]
    fn texts() {
        for (fault, name) in NAMES {
            assert_eq!(fault.to_string(), name);
            assert_eq!(name.parse::<Fault>().unwrap(), fault);
        }
        let faults = Faults::parse("freeze = 0.5, event-late * 3", 9).unwrap();
        let same = Faults::new(9)
            .with(Fault::Freeze, FaultRate::Probability(0.5))
            .with(Fault::EventLate, FaultRate::First(3));
        assert_eq!(faults, same);
    }

    #[test]
    fn mistakes_are_told() {
        for (spec, told) in [
            ("", "fault `` is unknown; there are register-slow, "),
            (
                "frieze",
                "fault `frieze` is unknown; there are register-slow, ",
            ),
            ("freeze,freeze=1", "fault `freeze` is there twice"),
            (
                "freeze=2",
                "`2` in `freeze=2` is no share from 0 to 1, as in `freeze=0.3`",
            ),
            ("freeze=nan", "`nan` in `freeze=nan` is no share"),
            (
                "freeze*x",
                "`x` in `freeze*x` is no number of times, as in `freeze*2`",
            ),
        ] {
            let error = Faults::parse(spec, 0).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }
}
