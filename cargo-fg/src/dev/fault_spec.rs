//! The faults of a run, in the form of the command line.

use std::fmt;

use fg_emulator::{Error, Faults};

/// The value of `--fault` and the seed. Together they reproduce the same faults.
#[derive(Clone, Debug)]
pub(crate) struct FaultSpec {
    pub(crate) spec: String,
    pub(crate) seed: u64,
}

impl FaultSpec {
    pub(crate) fn parse(&self) -> Result<Faults, Error> {
        Faults::parse(&self.spec, self.seed)
    }
}

/// Writes the options that inject the same faults again.
impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spec, seed } = self;
        write!(f, "--fault {} --seed {seed}", shell_words::quote(spec))
    }
}
