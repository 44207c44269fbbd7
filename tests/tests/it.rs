//! Tests of the whole, in one binary: links once, and tests of different parts run side by side.

mod emulator;
mod runtime;
