//! `#[extension]` on a function named `main`, with `fg_extension` re-exported by another module.

#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic)]

mod sdk {
    pub(crate) use ::renamed as fg_extension;
}
mod ports {
    pub(super) const FIRST: u16 = 8081;
}

/// Called for every invocation.
#[cfg(unix)]
#[sdk::fg_extension::extension(
    name = "extensionMain.sh",
    port = ports::FIRST + 1,
    crate = sdk::fg_extension
)]
#[cfg(target_family = "unix")]
async fn main(_: sdk::fg_extension::Invocation) {}

#[cfg(not(unix))]
fn main() {}
