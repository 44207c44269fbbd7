//! Conformance tests for extensions of Huawei Cloud FunctionGraph, in any language: the checks behind `cargo fg check`.
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
//! [`Checks`] boots the extension as a real process in [`fg_emulator`], several times if the selected cases need that, and
//! returns a [`Report`] with one [`Finding`] for each [`Case`]. [`Selection::all`] has all of them: what each one requires, the page
//! of the platform's documentation that it comes from, how it is tried, and which other cases prevent it. A package (a ZIP)
//! is also examined without running it.
//!
//! [`artifact`] and [`port_owner`] are what these checks share with the commands of `cargo fg`.

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
mod harness;
pub mod port_owner;
mod report;

pub use cases::{Budget, Case, CaseId, Group, Mark, Selection};
pub use checks::Checks;
pub use error::Error;
pub use extension_under_test::ExtensionUnderTest;
pub use report::{Finding, Format, Outcome, Report, list_cases};
