//! Tests of control characters that an extension prints.

use std::process::Command;

use super::json::events;
use super::running::{TestContext, lines};

/// A command that prints a sequence that clears the screen, and a color.
const PRINTS: &str =
    r#"extensionA.sh=printf "\033[2Ja \033[31mred\033[0m\r\302\2332J\342\200\256line\n""#;

fn dev(context: &TestContext, arguments: &[&str]) -> Command {
    let also = ["--also", PRINTS, "--invocations", "1"];
    context.python(&[&also, arguments].concat())
}

#[test]
fn terminal_gets_no_control_characters_but_colors() {
    let context = TestContext::new();
    let dev = dev(&context, &[]);
    let arguments = [dev.get_program()].into_iter().chain(dev.get_args());
    let line = shell_words::join(arguments.map(|argument| argument.to_str().unwrap()));
    let output = Command::new("script")
        .args(["--quiet", "--command", &line, "/dev/null"])
        .envs(
            dev.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    let lines = lines(&output);
    let expected = "stdout extensionA.sh: \\x1b[2Ja \x1b[31mred\x1b[0m\\r\\x9b2J\\u{202e}line";
    assert!(lines.iter().any(|line| line == expected), "{lines:#?}");
}

#[test]
fn file_gets_plain_text_and_json_the_original() {
    let context = TestContext::new();
    let output = dev(&context, &[]).output().unwrap();
    let lines = lines(&output);
    let expected = "stdout extensionA.sh: a red\\r\\x9b2J\\u{202e}line";
    assert!(lines.iter().any(|line| line == expected), "{lines:#?}");

    let output = dev(&context, &["--output", "json"]).output().unwrap();
    let original = "\x1b[2Ja \x1b[31mred\x1b[0m\r\u{9b}2J\u{202e}line";
    let text = String::from_utf8_lossy(&output.stdout);
    let is_control = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!text.contains(is_control), "{text:?}");
    let events = events(&output);
    assert!(
        events.iter().any(|event| event["text"] == original),
        "{events:#?}"
    );
}
