//! What a case is, and the checks themselves: one file per group.

mod budget;
mod elf_program;
pub(crate) mod freeze;
mod id;
pub(crate) mod invocation;
mod package;
pub(crate) mod registration;
mod selection;
pub(crate) mod shutdown;
mod start_script;
mod table;
pub(crate) mod telemetry;

use std::fmt;

pub use self::budget::Budget;

pub use self::id::{CaseId, Group};
pub(crate) use self::package::{Bootable, check_without_zip, check_zip};
pub use self::selection::Selection;
pub(crate) use self::table::CASES;

/// One thing that an extension must do, or must be.
#[derive(Debug)]
#[non_exhaustive]
pub struct Case {
    /// Its ID.
    pub id: CaseId,
    /// How certain it is that the platform requires it.
    pub mark: Mark,
    /// Where it comes from: a page of the documentation, in most cases.
    pub source: &'static str,
    /// What is required, as in `listens before it registers`.
    pub sentence: &'static str,
    /// How it is tried.
    pub tried: &'static str,
    /// What to do if it fails.
    pub remedy: &'static str,
    /// What it is tried on.
    pub(crate) fixture: Fixture,
    /// The cases that prevent it if they fail; so do those that prevent these.
    pub prevented_by: &'static [CaseId],
}

/// How certain a fact about the platform is. Displayed as `D`, `I` or `?`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Mark {
    /// The platform's documentation states it.
    Documented,
    /// It follows from what is documented, or from how such platforms work.
    Inferred,
    /// It cannot be found out from outside the platform.
    Unknown,
}

/// What a case is tried on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fixture {
    /// The files of the package or the program; no process is started.
    Files,
    /// What was recorded of the first boot.
    FirstBoot,
    /// The process of the first boot. If one case ends that process, it prevents all that are left.
    SharedProcess,
    /// One or several further boots.
    OwnBoot,
}

impl Case {
    /// Returns whether a process has to be started for it.
    pub(crate) fn needs_process(&self) -> bool {
        self.fixture != Fixture::Files
    }
}

impl CaseId {
    /// Returns its row of [`CASES`].
    pub(crate) fn case(self) -> &'static Case {
        // `table` asserts at compile time that each case is in its place.
        &CASES[self as usize]
    }

    /// Returns whether a failure of this case prevents `other`, directly or through cases in between.
    pub(crate) fn prevents(self, other: Self) -> bool {
        let direct = other.case().prevented_by;
        direct.contains(&self) || direct.iter().any(|between| self.prevents(*between))
    }
}

impl Mark {
    /// Returns what it means.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Documented => "documented: Huawei Cloud's documentation says so",
            Self::Inferred => {
                "inferred: it follows from what is documented, or from how such platforms work"
            }
            Self::Unknown => {
                "unknown: nobody outside the platform can tell, so this is the safe side"
            }
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Documented => "D",
            Self::Inferred => "I",
            Self::Unknown => "?",
        })
    }
}
