//! The checks, on an extension in Python that can do one thing wrong, and on ZIPs.

mod packages;
mod reports;
mod selections;
mod support;
mod variants;
