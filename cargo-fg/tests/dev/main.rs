//! `cargo fg dev` and `cargo fg invoke`, as their users call them.

mod end;
mod faults;
mod instance;
mod invoke;
mod json;
mod keys;
mod plain;
mod running;
mod save;
