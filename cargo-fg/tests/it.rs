//! The command, as its users call it: one module a subcommand, in one binary that links once.

mod check;
mod dev;
mod docs;
mod new;
mod package;
