//! Recognizes a library, in which nothing calls the generated `main`.

use std::path::Path;

pub(crate) const MESSAGE: &str = "`#[extension]` generates `main`, so it cannot be used in a library; move it from `lib.rs` to `main.rs`";

/// Returns whether the file with `#[extension]` is certainly the root of a library that Cargo builds.
///
/// Cargo sets `CARGO_BIN_NAME` for programs and examples only. It sets neither for integration tests, hence the file name.
/// In rust-analyzer, the file has no name. A doctest is a program in the file of the library; rustdoc sets a variable when it
/// compiles one.
pub(crate) fn is_library(file: &str, is_set: impl Fn(&str) -> bool) -> bool {
    Path::new(file).ends_with("src/lib.rs")
        && is_set("CARGO_CRATE_NAME")
        && !is_set("CARGO_BIN_NAME")
        && !is_set("UNSTABLE_RUSTDOC_TEST_PATH")
}

#[cfg(test)]
mod tests {
    use super::is_library;

    #[test]
    fn only_a_library_that_cargo_builds_is_recognized() {
        for (file, variables, expected) in [
            ("src/lib.rs", &["CARGO_CRATE_NAME"][..], true),
            ("/srv/hello/src/lib.rs", &["CARGO_CRATE_NAME"], true),
            ("src/lib.rs", &["CARGO_CRATE_NAME", "CARGO_BIN_NAME"], false),
            ("src/main.rs", &["CARGO_CRATE_NAME"], false),
            // An integration test without a harness has no `CARGO_BIN_NAME`.
            ("tests/lib.rs", &["CARGO_CRATE_NAME"], false),
            // A doctest.
            (
                "src/lib.rs",
                &["CARGO_CRATE_NAME", "UNSTABLE_RUSTDOC_TEST_PATH"],
                false,
            ),
            // Another build tool, and rust-analyzer.
            ("src/lib.rs", &[], false),
            ("", &["CARGO_CRATE_NAME"], false),
        ] {
            let is_set = |name: &str| variables.contains(&name);
            assert_eq!(is_library(file, is_set), expected, "{file} {variables:?}");
        }
    }
}
