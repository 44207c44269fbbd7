//! What does not compile, and what rustc says about it: a `.stderr` file for each program.

use std::path::PathBuf;
use std::process::Command;

/// These errors are in rustc's words, not in ours: in those of 1.95. So are all that have a code of rustc's.
const WRITTEN_BY_RUSTC: [&str; 7] = [
    "function/fail/body.rs",
    "function/fail/missing_body.rs",
    "function/fail/not_send.rs",
    "item/fail/unfinished_parameter.rs",
    "methods/fail/body.rs",
    "methods/fail/missing_body.rs",
    "methods/fail/unfinished_parameter.rs",
];

/// Programs that compile are in `pass`, not here: without them trybuild checks all programs with a single `cargo check`.
#[test]
fn programs_do_not_compile() {
    let tests = trybuild::TestCases::new();
    for program in programs() {
        tests.compile_fail(program);
    }
}

/// All of them, where rustc has the words that were written down; elsewhere those that have ours.
fn programs() -> Vec<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("rustc runs")
        .stdout;
    let is_pinned_rustc = version.starts_with(b"rustc 1.95.");
    let mut programs = Vec::new();
    for topic in std::fs::read_dir("ui").expect("the tests run in their package's folder") {
        let folder = topic.expect("a topic").path().join("fail");
        for program in std::fs::read_dir(folder).expect("a folder of the topic") {
            let program = program.expect("a file").path();
            let stderr = std::fs::read_to_string(program.with_extension("stderr"));
            let is_ours = !stderr.is_ok_and(|stderr| stderr.contains("error[E"))
                && !WRITTEN_BY_RUSTC.iter().any(|path| program.ends_with(path));
            if program
                .extension()
                .is_none_or(|extension| extension != "rs")
            {
                continue;
            }
            if is_ours || is_pinned_rustc {
                programs.push(program);
            } else {
                println!("{}: not compared, rustc is not 1.95", program.display());
            }
        }
    }
    programs.sort();
    programs
}
