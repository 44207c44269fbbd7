//! What does not compile, and what it says; and what does, registers, and ends.

use std::process::Command;

use fg_emulator::PortLease;
use fg_extension_tests::{Answer, ScriptedPlatform, post};

#[test]
fn ui() {
    if std::env::var_os("FG_UI_PROGRAMS").is_some() {
        let tests = trybuild::TestCases::new();
        tests.pass("ui/*/pass/*.rs");
        tests.compile_fail("ui/*/fail/*.rs");
        return;
    }
    // The programs that compile are run, one after the other: on a platform that registers them, and then
    // asks them to end. They learn of it by the environment, which only a process of its own can have.
    let lease = PortLease::take().unwrap();
    let port = lease.port();
    let platform = ScriptedPlatform::start([Answer::registered()]);
    let address = platform.address.to_string();
    std::thread::spawn(move || {
        for _registration in platform.requests() {
            assert_eq!(post(port, "/extension/shutdown", "").status, 200);
        }
    });
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["ui", "--exact", "--nocapture"])
        .env("FG_UI_PROGRAMS", "1")
        .env("EXTENSION_API_ADDR", address)
        .env("FG_EXTENSION_PORT", port.to_string())
        .status()
        .unwrap();
    assert!(status.success(), "see above");
}
