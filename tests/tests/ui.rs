//! What does not compile, and what it says; and what does, registers, and ends.

use std::path::PathBuf;
use std::process::Command;

use fg_emulator::PortLease;
use fg_extension_tests::{Answer, ScriptedPlatform, post};

/// These errors are in rustc's words, not in ours: in those of 1.95. So are all that have a code of rustc's.
const IN_THE_WORDS_OF_RUSTC: [&str; 7] = [
    "function/fail/body.rs",
    "function/fail/no_body.rs",
    "function/fail/not_send.rs",
    "item/fail/unfinished_parameter.rs",
    "methods/fail/body.rs",
    "methods/fail/no_body.rs",
    "methods/fail/unfinished_parameter.rs",
];

#[test]
fn ui() {
    if std::env::var_os("FG_UI_PROGRAMS").is_some() {
        let tests = trybuild::TestCases::new();
        tests.pass("ui/*/pass/*.rs");
        for program in programs_that_fail() {
            tests.compile_fail(program);
        }
        return;
    }
    // The programs that compile are run, one after the other: on a platform that registers them, and then
    // asks them to end. They learn of it by the environment, which only a process of its own can have.
    let lease = PortLease::acquire().unwrap();
    let port = lease.port();
    let platform = ScriptedPlatform::start([Answer::registered()]);
    let address = platform.address.to_string();
    std::thread::spawn(move || {
        for request in platform.requests() {
            if !request.starts_with("POST /extension/register ") {
                continue;
            }
            let status = post(port, "/extension/shutdown", "").status;
            if status != 200 {
                // The program would run for ever.
                eprintln!("a program that compiles answers {status}");
                std::process::exit(1);
            }
        }
    });
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["ui", "--exact", "--nocapture"])
        .env("FG_UI_PROGRAMS", "1")
        // Nobody debugs them, and each is linked anew.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("EXTENSION_API_ADDR", address)
        .env("FG_EXTENSION_PORT", port.to_string())
        .env("FG_TELEMETRY_PORT", port.to_string())
        .status()
        .unwrap();
    assert!(status.success(), "see above");
}

/// All of them, where rustc has the words that were written down; elsewhere those that have ours.
fn programs_that_fail() -> Vec<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("rustc runs")
        .stdout;
    let has_the_words = version.starts_with(b"rustc 1.95.");
    let mut programs = Vec::new();
    for topic in std::fs::read_dir("ui").expect("the tests run in their package's folder") {
        let folder = topic.expect("a topic").path().join("fail");
        for program in std::fs::read_dir(folder).expect("a folder of the topic") {
            let program = program.expect("a file").path();
            let told = std::fs::read_to_string(program.with_extension("stderr"));
            let is_ours = !told.is_ok_and(|told| told.contains("error[E"))
                && !IN_THE_WORDS_OF_RUSTC
                    .iter()
                    .any(|words| program.ends_with(words));
            if program
                .extension()
                .is_none_or(|extension| extension != "rs")
            {
                continue;
            }
            if is_ours || has_the_words {
                programs.push(program);
            } else {
                println!("{}: not compared, rustc is not 1.95", program.display());
            }
        }
    }
    programs.sort();
    programs
}
