//! Asks before something is changed.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context, bail};

/// Asks on the terminal.
///
/// # Errors
///
/// Returns an error if the user does not agree, or if stdin is not a terminal.
pub(super) fn confirm(question: &str) -> anyhow::Result<()> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        bail!(
            "nothing was changed: stdin is not a terminal, so you cannot be asked; run the command again with --yes"
        );
    }
    ask(question, &mut stdin.lock(), &mut std::io::stderr())
}

fn ask(question: &str, input: &mut impl BufRead, output: &mut impl Write) -> anyhow::Result<()> {
    write!(output, "{question} [y/N] ")
        .and_then(|()| output.flush())
        .context("cannot write to the terminal")?;
    let mut reply = String::new();
    input
        .read_line(&mut reply)
        .context("cannot read from the terminal")?;
    // A reply ends with a line break, so a `y` before the end of the input does not count.
    if !reply.ends_with('\n') {
        let _ = writeln!(output);
        reply.clear();
    }
    match reply.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was changed"),
    }
}

#[cfg(test)]
mod tests {
    use super::ask;

    #[test]
    fn only_yes_agrees() {
        for (reply, agrees) in [
            ("y\n", true),
            ("Yes\n", true),
            ("\n", false),
            ("", false),
            ("y", false),
            ("n\n", false),
            ("yep\n", false),
        ] {
            let mut output = Vec::new();
            let result = ask("Deploy?", &mut reply.as_bytes(), &mut output);
            assert_eq!(result.is_ok(), agrees, "{reply:?}");
            assert!(output.starts_with(b"Deploy? [y/N] "));
        }
    }
}
