//! Integration tests of `cargo fg`: one module for each subcommand, in one binary to link only once.

mod check;
mod dev;
mod docs;
mod new;
mod package;
