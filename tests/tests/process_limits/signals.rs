//! Signals, inherited dispositions of signals, and an extension that is process 1.

use fg_extension_tests::{
    Client, Extension, ScriptedPlatform, ScriptedResponse, Start, event, request,
};
use nix::sys::signal::Signal;

use super::ledger::Ledger;
use super::{INVOKE, LEDGER, boot, invoke, report_skipped};

/// Sends an invocation that waits for a line on standard input, and waits until it is handled.
fn hold(extension: &mut Extension) -> Client {
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("hold")));
    extension.wait_for("invoked hold");
    client
}

/// The second signal neither aborts the shutdown nor starts it anew.
#[test]
fn further_signals_do_not_disturb_the_shutdown() {
    use Signal::{SIGHUP, SIGINT, SIGTERM};
    for signals in [
        [SIGTERM, SIGTERM, SIGTERM],
        [SIGTERM, SIGINT, SIGHUP],
        [SIGHUP, SIGTERM, SIGINT],
    ] {
        let ledger = Ledger::new();
        let start = Start::new(LEDGER)
            .env("HANDLER", "ask")
            .env("FG_LOG", "info")
            .env("FG_SHUTDOWN_TIMEOUT", "20s");
        let mut extension = boot(start, &ledger);
        assert_eq!(ledger.post(extension.port(), 3), 200);
        extension.wait_for("call 1");
        let mut client = hold(&mut extension);
        extension.signal(signals[0]);
        while !extension.error_line().ends_with("; shutting down") {}
        extension.signal(signals[1]);
        extension.signal(signals[2]);
        // Both wait for a line.
        extension.type_line("go on");
        extension.type_line("go on");
        assert_eq!(client.receive().status, 200);
        let exited = extension.wait();
        assert_eq!(ledger.assert_balanced(&exited).acknowledged, 3);
        assert_eq!(exited.stderr, "", "{signals:?}");
    }
}

/// What the parent process has ignored or blocked does not matter: SIGTERM shuts down, and SIGPIPE does not.
#[test]
fn inherited_dispositions_do_not_matter() {
    for options in [
        &["--ignore-signal=TERM,HUP,INT"][..],
        &["--block-signal=TERM,HUP,INT"],
        &["--block-signal=TERM", "--ignore-signal=TERM"],
        &["--default-signal=PIPE"],
        &["--ignore-signal=PIPE,CHLD"],
        &["--block-signal=PIPE,CHLD,URG"],
    ] {
        for signal in [Signal::SIGTERM, Signal::SIGHUP] {
            let ledger = Ledger::new();
            let start = Start::new("env")
                .args(options.iter().copied())
                .args([LEDGER]);
            let mut extension = boot(start, &ledger);
            // The response has no reader.
            drop(hold(&mut extension));
            extension.type_line("go on");
            extension.signal(Signal::SIGPIPE);
            assert_eq!(invoke(&extension, "1"), 200, "{options:?}");
            assert_eq!(ledger.post(extension.port(), 3), 200);
            extension.signal(signal);
            let exited = extension.wait();
            assert_eq!(ledger.assert_balanced(&exited).acknowledged, 3);
            assert_eq!(exited.stderr, "", "{options:?}");
        }
    }
}

/// The start script of the documentation replaces itself with the program, so a signal to the script reaches it.
#[test]
fn signal_to_the_start_script_shuts_down() {
    let ledger = Ledger::new();
    let extension = boot(Start::by_script(LEDGER, "exec \"$0\" \"$@\""), &ledger);
    assert_eq!(ledger.post(extension.port(), 3), 200);
    let exited = extension.terminate();
    assert_eq!(ledger.assert_balanced(&exited).acknowledged, 3);
}

/// Process 1 has no default reaction to signals, and inherits processes whose parent has exited.
#[test]
fn extension_may_be_process_1() {
    let unshare = ["--pid", "--fork", "--kill-child"];
    let allowed = std::process::Command::new("unshare")
        .args(unshare)
        .arg("true")
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        report_skipped(
            "extension_may_be_process_1",
            "`unshare --pid` is missing or not allowed",
        );
        return;
    }
    for signal in ["TERM", "HUP", "INT"] {
        let ledger = Ledger::new();
        let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
        // The orphans exit while the extension runs, or outlast it. `unshare` does not forward signals, so a process
        // outside of the namespace sends it to the only child of `unshare`.
        let script = "(true &) ; (sleep 60 >&- 2>&- &) ; exec \"$0\"";
        let extension = Start::new("unshare")
            .args(unshare)
            .args(["sh", "-c", script, LEDGER])
            .env("LEDGER", ledger.file())
            .with(&platform)
            .start();
        let _ = (platform.request(), platform.request());
        for trace_id in ["1", "child", "thread"] {
            assert_eq!(invoke(&extension, trace_id), 200);
        }
        assert_eq!(ledger.post(extension.port(), 3), 200);
        let id = extension.id().to_string();
        let sent = std::process::Command::new("pkill")
            .args(["--signal", signal, "--parent", &id])
            .status();
        assert!(sent.expect("procps is installed").success());
        let exited = extension.wait();
        assert_eq!(ledger.assert_balanced(&exited).acknowledged, 3);
    }
}

/// A child of the author's code that still runs does not hold up the exit, and children that have exited are reaped.
#[test]
fn children_do_not_hold_up_the_shutdown() {
    let ledger = Ledger::new();
    let extension = boot(
        Start::by_script(LEDGER, "sleep 60 <&- >&- 2>&- & exec \"$0\""),
        &ledger,
    );
    for _ in 0..3 {
        assert_eq!(invoke(&extension, "child"), 200);
    }
    let id = extension.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))
        .expect("the extension runs");
    let children: Vec<_> = children.split_whitespace().collect();
    // That of the script.
    assert_eq!(children.len(), 1, "{children:?}");
    let sleeping = children[0].parse().expect("a process ID");
    assert_eq!(ledger.post(extension.port(), 3), 200);
    let exited = extension.terminate();
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(sleeping), Signal::SIGKILL);
    assert_eq!(ledger.assert_balanced(&exited).acknowledged, 3);
}
