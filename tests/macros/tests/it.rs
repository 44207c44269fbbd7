//! Programs with the attribute: what compiles also registers, answers and shuts down; what does not compile says why.

mod fail;
mod pass;
