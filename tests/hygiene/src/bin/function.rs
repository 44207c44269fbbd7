//! The attribute on a function, where no name is what it seems.

#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic)]

use ::renamed::extension;

mod core {}
mod fg_extension {}
mod std {}
mod tokio {}

/// Not the platform's.
pub(crate) struct Extension;
/// Not the prelude's.
pub(crate) struct Option;
/// Not the prelude's.
pub(crate) struct Result;
/// Not the prelude's.
#[allow(non_camel_case_types)]
pub(crate) struct u16;

/// The names of what generated code has in its hands.
pub(crate) fn init() -> (Extension, Option, Result, u16) {
    (Extension, Option, Result, u16)
}

/// Called for every invocation.
#[extension(name = "extensionFunction.sh", port = 8081, timeout = "2s", crate = ::renamed)]
pub(crate) async fn invocation(
    ::renamed::Invocation { trace_id, .. }: ::renamed::Invocation,
) -> ::std::result::Result<(), ::std::string::String> {
    init();
    if trace_id.is_empty() {
        ::std::result::Result::Err(trace_id)
    } else {
        ::std::result::Result::Ok(())
    }
}
