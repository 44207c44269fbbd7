//! Programs that do not compile. Each has a `.stderr` file with the expected errors.

use std::path::PathBuf;
use std::process::Command;

/// Programs whose errors come from rustc 1.95 and not from the macro, although they have no error code.
///
/// Errors with a code, such as `E0277`, always come from rustc.
const WRITTEN_BY_RUSTC: [&str; 7] = [
    "function/fail/missing_body.rs",
    "function/fail/not_send.rs",
    "function/fail/syntax_error_in_body.rs",
    "item/fail/parameter_without_type.rs",
    "methods/fail/missing_body.rs",
    "methods/fail/parameter_without_type.rs",
    "methods/fail/syntax_error_in_body.rs",
];

// The programs in `pass` are not passed to trybuild: without them, a single `cargo check` covers all programs.
#[test]
fn invalid_programs_fail_with_the_expected_errors() {
    let tests = trybuild::TestCases::new();
    for program in programs() {
        tests.compile_fail(program);
    }
}

/// Returns all programs if rustc is 1.95, and otherwise only those whose errors come from the macro.
fn programs() -> Vec<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("rustc runs")
        .stdout;
    let is_pinned_rustc = version.starts_with(b"rustc 1.95.");
    let mut programs = Vec::new();
    for topic in std::fs::read_dir("ui").expect("the tests run in their package's directory") {
        let directory = topic.expect("a topic").path().join("fail");
        for program in std::fs::read_dir(directory).expect("a directory of the topic") {
            let program = program.expect("a file").path();
            let stderr = std::fs::read_to_string(program.with_extension("stderr"));
            let is_from_macro = !stderr.is_ok_and(|stderr| stderr.contains("error[E"))
                && !WRITTEN_BY_RUSTC.iter().any(|path| program.ends_with(path));
            if program
                .extension()
                .is_none_or(|extension| extension != "rs")
            {
                continue;
            }
            if is_from_macro || is_pinned_rustc {
                programs.push(program);
            } else {
                println!("{}: not compared, rustc is not 1.95", program.display());
            }
        }
    }
    programs.sort();
    programs
}
