//! Faults that the platform injects: their names, rates, and the parser of a fault list.

mod injector;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::Error;

pub(crate) use self::injector::FaultInjector;

/// A fault that the platform can inject.
///
/// Each fault has a name, which [`Faults::parse`] reads and `Display` writes.
// Append new faults at the end: the position in this list goes into the pseudorandom decisions, so that inserting a fault
// would change what existing seeds do.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Fault {
    /// `register-slow`: the response to a registration is delayed by one second.
    RegisterSlow,
    /// `register-rejected`: a registration is rejected with status 400.
    RegisterRejected,
    /// `register-reset`: the connection of a registration is reset without a response.
    RegisterReset,
    /// `register-503`: a registration gets a response with status 503.
    RegisterUnavailable,
    /// `event-duplicate`: the invoke event is posted twice, with the same trace ID.
    EventDuplicate,
    /// `event-late`: the invoke event is posted after the function has finished.
    EventLate,
    /// `event-malformed`: a truncated body is posted before the invoke event. The response to it does not count as a
    /// response of the extension.
    EventMalformed,
    /// `event-huge`: the invoke event has an additional, unknown field of 5 MiB.
    EventHuge,
    /// `telemetry-before`: the telemetry of the start of an invocation is delivered before the invoke event is posted.
    TelemetryBefore,
    /// `telemetry-after`: telemetry is not delivered until the extensions have responded to the invoke event.
    TelemetryAfter,
    /// `freeze`: the instance is frozen for 200 milliseconds, before an invocation, after it, or both.
    Freeze,
}

impl Fault {
    /// All faults, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::RegisterSlow,
        Self::RegisterRejected,
        Self::RegisterReset,
        Self::RegisterUnavailable,
        Self::EventDuplicate,
        Self::EventLate,
        Self::EventMalformed,
        Self::EventHuge,
        Self::TelemetryBefore,
        Self::TelemetryAfter,
        Self::Freeze,
    ];

    /// Returns the name, as in a list of faults.
    fn name(self) -> &'static str {
        match self {
            Self::RegisterSlow => "register-slow",
            Self::RegisterRejected => "register-rejected",
            Self::RegisterReset => "register-reset",
            Self::RegisterUnavailable => "register-503",
            Self::EventDuplicate => "event-duplicate",
            Self::EventLate => "event-late",
            Self::EventMalformed => "event-malformed",
            Self::EventHuge => "event-huge",
            Self::TelemetryBefore => "telemetry-before",
            Self::TelemetryAfter => "telemetry-after",
            Self::Freeze => "freeze",
        }
    }

    /// Returns what the platform does, in a phrase without a subject, such as `posts an invocation twice, with the same trace
    /// ID`.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::RegisterSlow => "responds to a registration after a second",
            Self::RegisterRejected => "rejects a registration with status 400",
            Self::RegisterReset => "resets the connection of a registration",
            Self::RegisterUnavailable => "responds to a registration with status 503",
            Self::EventDuplicate => "posts an invocation twice, with the same trace ID",
            Self::EventLate => "posts an invocation after the function has finished",
            Self::EventMalformed => "posts a truncated body before the invocation",
            Self::EventHuge => "adds an unknown field of 5 MiB to the invocation",
            Self::TelemetryBefore => {
                "delivers the telemetry about the start of an invocation before it posts the invocation"
            }
            Self::TelemetryAfter => {
                "delivers no telemetry before the extension has responded to the invocation"
            }
            Self::Freeze => "freezes the instance for 200 ms, before or after the invocation",
        }
    }
}

/// How often a fault is injected.
///
/// Each registration is an opportunity for the faults of registrations, and each invocation for those of events and
/// telemetry. [`Fault::Freeze`] has two opportunities per invocation: before and after it.
///
/// A registration gets at most one fault, tried in the order `register-reset`, `register-503`, `register-rejected`,
/// `register-slow`; those after the injected one keep their opportunity for the next registration. In the same way,
/// `telemetry-after` excludes `telemetry-before`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FaultRate {
    /// At this many opportunities, starting with the first.
    First(u32),
    /// At each opportunity with this probability, from 0 to 1. The seed determines the decisions.
    Probability(f64),
}

/// The faults that a platform injects, with their rates and a seed.
///
/// The same seed makes the same decisions for the same sequence of opportunities: a test whose registrations and
/// invocations happen in the same order gets the same faults in every run. Each fault is decided independently of the
/// others.
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
    /// Returns an empty set of faults with the given seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rates: BTreeMap::new(),
        }
    }

    /// Adds a fault, or replaces its rate. A probability below 0 counts as 0, and one above 1 as 1.
    #[must_use]
    pub fn with(mut self, fault: Fault, rate: FaultRate) -> Self {
        self.rates.insert(fault, rate);
        self
    }

    /// Parses a comma-separated list of faults, such as `register-503*2,event-duplicate=0.3,freeze`.
    ///
    /// Each item is the name of a [`Fault`], optionally followed by a rate:
    ///
    /// - `*2`: the first two times ([`FaultRate::First`])
    /// - `=0.3`: with a probability of 0.3 ([`FaultRate::Probability`])
    ///
    /// Without a rate, a fault whose name starts with `register-` is injected once, and any other fault always.
    ///
    /// # Errors
    ///
    /// Returns an error if a fault is unknown, is listed twice, or has an invalid rate.
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

    /// Returns the seed.
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
                "`{count}` in `{item}` is not a count; write it as `{name}*2`"
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
                    "`{text}` in `{item}` is not a probability from 0 to 1; write it as `{name}=0.3`"
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

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.iter().copied().find(|fault| fault.name() == text);
        known.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|fault| fault.name()).collect();
            Error::new(format!(
                "unknown fault `{text}`; expected one of {}",
                names.join(", ")
            ))
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, FaultRate, Faults};

    #[test]
    fn names_and_rates_are_parsed() {
        for (position, &fault) in Fault::ALL.iter().enumerate() {
            assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault);
            // The position goes into the pseudorandom decisions.
            assert_eq!(fault as usize, position);
        }
        let faults = Faults::parse("freeze = 0.5, event-late * 3", 9).unwrap();
        let same = Faults::new(9)
            .with(Fault::Freeze, FaultRate::Probability(0.5))
            .with(Fault::EventLate, FaultRate::First(3));
        assert_eq!(faults, same);
    }

    #[test]
    fn invalid_lists_are_rejected() {
        for (spec, message) in [
            ("", "unknown fault ``; expected one of register-slow, "),
            (
                "frieze",
                "unknown fault `frieze`; expected one of register-slow, ",
            ),
            ("freeze,freeze=1", "fault `freeze` is listed twice"),
            (
                "freeze=2",
                "`2` in `freeze=2` is not a probability from 0 to 1; write it as `freeze=0.3`",
            ),
            ("freeze=nan", "`nan` in `freeze=nan` is not a probability"),
            (
                "freeze*x",
                "`x` in `freeze*x` is not a count; write it as `freeze*2`",
            ),
        ] {
            let error = Faults::parse(spec, 0).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
