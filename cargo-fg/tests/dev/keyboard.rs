//! Tests of the keys, on a terminal.

use std::io::Write;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::running::{Running, TestContext};

#[test]
fn keys_control_the_instance() {
    let context = TestContext::new();
    let dev = context.python(&[]);
    let arguments = [dev.get_program()].into_iter().chain(dev.get_args());
    let line = shell_words::join(arguments.map(|argument| argument.to_str().unwrap()));
    // `script` runs the command on a terminal, and forwards its own stdin to it.
    let mut command = Command::new("script");
    command
        .args([
            "--quiet",
            "--return",
            "--flush",
            "--command",
            &line,
            "/dev/null",
        ])
        .envs(
            dev.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::piped());
    let mut dev = Running::start(command);
    let mut keyboard = dev.child.stdin.take().unwrap();
    let mut press = |key: &str| keyboard.write_all(key.as_bytes()).unwrap();

    dev.line("keys i invoke");
    // `dev` sends one invocation on its own; keys cause the others.
    dev.line("invoked #1 ");
    let bar = dev.line("extensionNightWatch.sh ");
    assert!(bar.contains('█') && bar.ends_with(" 200"), "{bar}");
    press("i");
    dev.line("invoked #2 ");
    press("f");
    dev.line("frozen ");
    press("f");
    dev.line("thawed ");
    press("f\n");
    dev.line("invoked #3 ");
    press("s");
    dev.line("stopped extensionNightWatch.sh in ");
    dev.line("waiting for a file to be saved; press r to rebuild and boot now");
    press("r");
    dev.line("registered ");
    dev.line("invoked #4 ");
    press("?");
    dev.line("keys i invoke");
    press("q");
    dev.line("stopped ");
    assert!(dev.wait_for_exit().1.success());
}

#[test]
fn second_interrupt_kills_in_the_background() {
    let context = TestContext::new();
    let dev = context.python(&[]);
    let arguments = [dev.get_program()].into_iter().chain(dev.get_args());
    let line = shell_words::join(arguments.map(|argument| argument.to_str().unwrap()));
    let job = format!("set -m; {line} & echo; echo job $!; wait $!; echo status $?");
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--flush", "--command"])
        .arg(shell_words::join(["bash", "-c", &job]))
        .arg("/dev/null")
        .envs(
            dev.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("FAULT", "ignores-sigterm")
        .stdin(Stdio::piped());
    let mut script = Running::start(command);
    let job = script.line("job ");
    let job = Pid::from_raw(job.trim_start_matches("job ").parse().unwrap());
    script.line("invoked #1 ");
    kill(job, Signal::SIGINT).unwrap();
    script.line("shutting down; press Ctrl-C again to kill");
    kill(job, Signal::SIGINT).unwrap();
    // A stopped job has the status 150.
    assert_eq!(script.line("status "), "status 130");
}
