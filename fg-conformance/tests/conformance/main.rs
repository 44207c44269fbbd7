//! Runs the checks against an extension in Python, with and without a fault, and against ZIPs.

mod packages;
mod readme;
mod reports;
mod selections;
mod support;
mod variants;
mod zip_fixture;
