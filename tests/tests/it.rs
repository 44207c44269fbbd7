//! Integration tests, in one binary so that they are linked once and all run in parallel.

mod emulator;
mod pairs;
mod process_limits;
mod runtime;
