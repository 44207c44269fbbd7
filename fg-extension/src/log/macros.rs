//! Macros that log the lines of the runtime.
//!
//! Each call of the macros of `tracing` adds 300 bytes to every extension, so all lines of a level share one of them.

use std::fmt::Arguments;

use tracing::Level;

macro_rules! error {
    ($($message:tt)*) => {
        $crate::log::macros::log(tracing::Level::ERROR, format_args!($($message)*))
    };
}

macro_rules! warn {
    ($($message:tt)*) => {
        $crate::log::macros::log(tracing::Level::WARN, format_args!($($message)*))
    };
}

macro_rules! info {
    ($($message:tt)*) => {
        $crate::log::macros::log(tracing::Level::INFO, format_args!($($message)*))
    };
}

#[cold]
#[inline(never)]
pub(crate) fn log(level: Level, message: Arguments<'_>) {
    match level {
        Level::ERROR => tracing::error!(target: "fg_extension", "{message}"),
        Level::WARN => tracing::warn!(target: "fg_extension", "{message}"),
        _ => tracing::info!(target: "fg_extension", "{message}"),
    }
}
