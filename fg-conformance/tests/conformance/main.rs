//! Runs the checks against an extension in Python, with and without a fault, and against ZIPs.

mod foreign;
mod packages;
mod readme;
mod reports;
mod selections;
mod support;
mod variants;
mod zip_fixture;
