//! Parses the arguments and the item without validating them. Function bodies stay tokens.

pub(crate) mod arguments;
pub(crate) mod conflict;
pub(crate) mod function;
pub(crate) mod impl_block;
pub(crate) mod item;
pub(crate) mod role;
