//! Keys, on a terminal.

use std::io::Write;
use std::process::{Command, Stdio};

use super::running::{Place, Running};

#[test]
fn keys() {
    let place = Place::new();
    let dev = place.python(&[]);
    let words = [dev.get_program()].into_iter().chain(dev.get_args());
    let line = shell_words::join(words.map(|word| word.to_str().unwrap()));
    // It has a terminal for the command, and passes on what it is given.
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
    // One by itself; then it is for the keys to say.
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
    dev.line("waiting for a file to be saved; r boots it again");
    press("r");
    dev.line("registered ");
    dev.line("invoked #4 ");
    press("?");
    dev.line("keys i invoke");
    press("q");
    dev.line("stopped ");
    assert!(dev.end().1.success());
}
