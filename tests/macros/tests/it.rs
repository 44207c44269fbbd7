//! UI tests of `#[extension]`: valid programs register, handle an invocation and shut down; invalid programs fail to
//! compile with the expected errors.

mod fail;
mod library;
mod pass;
