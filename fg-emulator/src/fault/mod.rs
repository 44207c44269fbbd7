//! Faults: what a platform may do on a bad day, repeatable by a seed.

mod injector;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::Error;

pub(crate) use self::injector::FaultInjector;

/// What can go wrong. Its text is what [`Faults::parse`] reads.
///
/// A new fault goes last: a seed decides by a fault's place in this list, so that old seeds keep their meaning.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Fault {
    /// `register-slow`: a registration is answered after a second.
    RegisterSlow,
    /// `register-rejected`: a registration is rejected with 400.
    RegisterRejected,
    /// `register-reset`: the connection of a registration is reset.
    RegisterReset,
    /// `register-503`: a registration is answered with 503.
    RegisterUnavailable,
    /// `event-duplicate`: an invocation is posted twice, with one trace id.
    EventDuplicate,
    /// `event-late`: an invocation is posted when the function is done.
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

/// How often a fault is injected.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FaultRate {
    /// The first so many times that it can be injected.
    First(u32),
    /// With this probability, from 0 to 1, as the seed decides.
    Probability(f64),
}

/// Which faults a platform injects, and how often.
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
    /// Returns an empty set of faults with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rates: BTreeMap::new(),
        }
    }

    /// Adds a fault; a probability below 0 counts as 0, above 1 as 1.
    #[must_use]
    pub fn with(mut self, fault: Fault, rate: FaultRate) -> Self {
        self.rates.insert(fault, rate);
        self
    }

    /// Parses a list as `register-503*2,event-duplicate=0.3,freeze`: the first two times, three times in ten,
    /// always. A fault of the registration without a rate is injected once.
    ///
    /// # Errors
    ///
    /// If a fault is unknown, is listed twice, or has an invalid rate.
    pub fn parse(spec: &str, seed: u64) -> Result<Self, Error> {
        let mut faults = Self::new(seed);
        for item in spec.split(',').map(str::trim) {
            let (fault, rate) = parse_item(item)?;
            if faults.rates.insert(fault, rate).is_some() {
                return Err(Error::new(format!("fault `{fault}` is listed twice")));
            }
        }
        Ok(faults)
    }

    /// Returns the seed, which makes the faults repeatable.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns whether there are no faults.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rates.is_empty()
    }
}

fn parse_item(item: &str) -> Result<(Fault, FaultRate), Error> {
    if let Some((name, count)) = item.split_once('*') {
        let rate = count.trim().parse().map(FaultRate::First).map_err(|_| {
            Error::new(format!(
                "`{count}` in `{item}` is not a number of times, as in `{name}*2`"
            ))
        })?;
        return Ok((name.trim().parse()?, rate));
    }
    if let Some((name, text)) = item.split_once('=') {
        let number = text.trim().parse().ok();
        let probability = number
            .filter(|number| (0.0..=1.0).contains(number))
            .ok_or_else(|| {
                Error::new(format!(
                    "`{text}` in `{item}` is not a probability from 0 to 1, as in `{name}=0.3`"
                ))
            })?;
        return Ok((name.trim().parse()?, FaultRate::Probability(probability)));
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

#[cfg(test)]
mod tests {
    use super::{Fault, FaultRate, Faults, NAMES};

    #[test]
    fn parse_and_display() {
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
    fn mistakes_are_reported() {
        for (spec, message) in [
            ("", "fault `` is unknown; there are register-slow, "),
            (
                "frieze",
                "fault `frieze` is unknown; there are register-slow, ",
            ),
            ("freeze,freeze=1", "fault `freeze` is listed twice"),
            (
                "freeze=2",
                "`2` in `freeze=2` is not a probability from 0 to 1, as in `freeze=0.3`",
            ),
            ("freeze=nan", "`nan` in `freeze=nan` is not a probability"),
            (
                "freeze*x",
                "`x` in `freeze*x` is not a number of times, as in `freeze*2`",
            ),
        ] {
            let error = Faults::parse(spec, 0).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
