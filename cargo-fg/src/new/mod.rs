//! A new package, made of an example.

mod create;
mod examples;
mod manifest;
mod name;
mod undo;

pub(crate) use create::{Created, New, create};
pub(crate) use examples::{EXAMPLES, Example};
