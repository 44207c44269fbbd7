//! Fuzz targets: each function takes any bytes, and panics if the runtime breaks a promise.
//!
//! `fuzz/` runs them with libFuzzer. The property tests below run them on the corpora in `fuzz/corpus/` and on mutations
//! of these.

// A panic is how a target reports a problem.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod function_urn;
mod invocation;
pub(crate) mod reference;

pub use function_urn::function_urn;
pub use invocation::invocation;

pub use crate::http::fuzzing::request_bytes;
pub use crate::platform::fuzzing::registration_reply;
pub use crate::telemetry::fuzzing::telemetry;

#[cfg(test)]
mod tests {
    use fuzz_corpus::check;

    #[test]
    fn function_urn() {
        check("function_urn", 10_000, super::function_urn);
    }

    #[test]
    fn invocation() {
        check("invocation", 10_000, super::invocation);
    }

    #[test]
    fn registration_reply() {
        check("registration_reply", 10_000, super::registration_reply);
    }

    #[test]
    fn request_bytes() {
        check("request_bytes", 2_000, super::request_bytes);
    }

    #[test]
    fn telemetry() {
        check("telemetry", 5_000, super::telemetry);
    }
}
