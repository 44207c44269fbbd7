//! The conformance cases: their types, the table, and one file of checks per group.

mod budget;
mod elf_program;
pub(crate) mod freeze;
mod id;
pub(crate) mod invocation;
mod package;
pub(crate) mod registration;
pub(crate) mod resources;
mod selection;
pub(crate) mod settings;
pub(crate) mod shutdown;
mod start_script;
mod table;
pub(crate) mod telemetry;
mod zip_scripts;

use std::fmt;

pub use self::budget::Budget;

pub use self::id::{CaseId, Group};
pub(crate) use self::package::{check_without_zip, check_zip, record_unreadable_zip};
pub use self::selection::Selection;
pub(crate) use self::table::CASES;
pub(crate) use self::zip_scripts::ZipScripts;

/// A conformance case: one requirement for an extension, and how it is tested.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Case {
    /// The ID.
    pub id: CaseId,
    /// How certain the requirement is.
    pub mark: Mark,
    /// Where the requirement comes from, in most cases a page of the platform's documentation.
    pub source: &'static str,
    /// The requirement, for example `listens before it registers`.
    pub sentence: &'static str,
    /// How the case is tested, in full sentences.
    pub tried: &'static str,
    /// How to fix an extension that fails the case.
    pub remedy: &'static str,
    /// What the case is tested on.
    pub(crate) fixture: Fixture,
    /// The cases that block this one if they fail, directly. The cases that block those block this one too.
    pub prevented_by: &'static [CaseId],
}

/// How certain a fact about the platform is.
///
/// Displayed as `D`, `I` or `?`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Mark {
    /// D: the platform's documentation states it.
    Documented,
    /// I: it is inferred from the documentation, or from how similar platforms work.
    Inferred,
    /// ?: it cannot be determined from outside the platform.
    Unknown,
}

/// What a case is tested on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fixture {
    /// The files of the ZIP, or the program. No process is started.
    Files,
    /// The recording of the first boot.
    FirstBoot,
    /// The process of the first boot. A case that makes this process exit blocks the remaining ones.
    SharedProcess,
    /// One or more additional boots.
    OwnBoot,
}

impl Case {
    /// Returns whether the case needs a running process.
    pub(crate) fn needs_process(&self) -> bool {
        self.fixture != Fixture::Files
    }
}

impl CaseId {
    /// Returns the row of [`CASES`] with this ID.
    pub(crate) fn case(self) -> &'static Case {
        // `table` asserts at compile time that the rows are in the order of the IDs.
        &CASES[self as usize]
    }

    /// Returns whether a failure of this case blocks `other`, directly or through other cases.
    pub(crate) fn blocks(self, other: Self) -> bool {
        let direct = other.case().prevented_by;
        direct.contains(&self) || direct.iter().any(|between| self.blocks(*between))
    }
}

impl Mark {
    /// Returns the meaning of the mark, for explanations.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Documented => "documented by Huawei Cloud",
            Self::Inferred => "inferred from the documentation, or from how similar platforms work",
            Self::Unknown => "unknown outside the platform, so the case tests the safe choice",
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
