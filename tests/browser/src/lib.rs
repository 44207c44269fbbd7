//! Runs the page of `cargo fg` in Chromium: starts `cargo fg`, chromedriver and a browser, and looks at the page through WebDriver.
//!
//! The tests in `tests/browser` need Chromium and chromedriver; `cargo xtask screenshots` uses the same types.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "test helpers may panic like tests"
)]

mod audit;
mod browser;
mod driver;
mod generated;
mod program;
mod run;

pub use browser::{Browser, DESKTOP, Options, PHONE, Scheme, Size};
pub use generated::{export, journal};
pub use program::cargo_fg;
pub use run::{Context, Run, night_watch};
