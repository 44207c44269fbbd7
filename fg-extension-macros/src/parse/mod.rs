//! Reads the arguments and the item as the author wrote them. Bodies of functions stay tokens.

pub(crate) mod arguments;
pub(crate) mod function;
pub(crate) mod impl_block;
pub(crate) mod item;
pub(crate) mod role;
