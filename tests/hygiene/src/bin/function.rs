//! `#[extension]` on a function, in a crate that shadows the names that generated code could use.

#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic)]

use ::renamed::extension;

mod core {}
mod fg_extension {}
mod std {}
mod tokio {}

/// Shadows `fg_extension::Extension`.
pub(crate) struct Extension;
/// Shadows the type in the prelude.
pub(crate) struct Option;
/// Shadows the type in the prelude.
pub(crate) struct Result;
/// Shadows the primitive type.
#[allow(non_camel_case_types)]
pub(crate) struct u16;

/// Has the name of a trait method, and uses all shadowing types.
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
