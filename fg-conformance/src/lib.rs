//! Conformance tests for extensions of Huawei Cloud FunctionGraph, written in any language.
//!
//! ```no_run
//! # async fn test() -> Result<(), fg_conformance::Error> {
//! use fg_conformance::{Checks, ExtensionUnderTest, Outcome, Selection};
//!
//! let extension = ExtensionUnderTest::command("extensionNightWatch.sh", "python3", ["night_watch.py"]);
//! let report = Checks::new(extension)
//!     .select(Selection::parse(["REG", "INV", "END-01"])?)
//!     .run()
//!     .await?;
//! assert_eq!(report.count(Outcome::Fail), 0, "{report}");
//! # Ok(())
//! # }
//! ```
//!
//! [`Checks`] boots the extension as a real process in [`fg_emulator`], several times if the selected cases require it, and
//! returns a [`Report`] with one [`Finding`] for each [`Case`]. A ZIP is also examined without running it.
//!
//! A [`Case`] is one requirement, with the page of the platform's documentation that it comes from, a [`Mark`] that says how
//! certain it is, how it is tested, and how to fix an extension that fails it. [`Selection::all`] contains all cases.
//!
//! `cargo fg check` runs these checks from the command line. The modules [`artifact`] and [`port_owner`] are also used by
//! other subcommands of `cargo fg`.

// Library code never panics, prints or exits (CONTRIBUTING.md).
#![warn(
    clippy::exit,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::todo,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod artifact;
mod cases;
mod checks;
mod error;
mod extension_under_test;
/// The fuzz target of this crate.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    pub use crate::artifact::fuzzing::zip;
}
mod harness;
pub mod port_owner;
mod report;
mod shared_process;
mod system;

pub use cases::{Budget, Case, CaseId, Group, Mark, Selection};
pub use checks::Checks;
pub use error::Error;
pub use extension_under_test::ExtensionUnderTest;
pub use report::{Finding, Format, Outcome, Report, list_cases};
