//! What a start script must look like, and be called.

use fg_emulator::ScriptName;

use crate::report::Finding;

/// Interpreters that every Linux image has.
const SHELLS: [&str; 5] = [
    "/bin/sh",
    "/bin/bash",
    "/usr/bin/sh",
    "/usr/bin/bash",
    "/usr/bin/env",
];

/// PKG-02, of the name.
pub(super) fn name(name: &str) -> Result<String, String> {
    if ScriptName::is_valid(name) {
        Ok(name.to_owned())
    } else {
        Err(format!("`{name}` is no script name"))
    }
}

/// PKG-04.
pub(super) fn line_feeds(script: &[u8]) -> Result<String, String> {
    match script
        .split(|byte| *byte == b'\n')
        .position(|line| line.contains(&b'\r'))
    {
        None => Ok("no carriage return".to_owned()),
        Some(before) => Err(format!("line {} has a carriage return", before + 1)),
    }
}

/// PKG-05.
pub(super) fn shebang(script: &[u8]) -> Finding {
    let line = script
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    if line.starts_with('\u{feff}') {
        return Finding::fail("it begins with a byte order mark");
    }
    let Some(rest) = line.strip_prefix("#!") else {
        return Finding::fail("its first line does not begin with `#!`");
    };
    match rest.split_whitespace().next() {
        Some(interpreter) if SHELLS.contains(&interpreter) => {
            Finding::pass(format!("#!{interpreter}"))
        }
        Some(interpreter) if interpreter.starts_with('/') => {
            Finding::warn(format!("whether the image has {interpreter} is unknown"))
        }
        Some(interpreter) => Finding::fail(format!("`{interpreter}` is no absolute path")),
        None => Finding::fail("`#!` names no interpreter"),
    }
}

#[cfg(test)]
mod tests {
    use super::shebang;
    use crate::report::Outcome;

    #[test]
    fn first_lines() {
        for (script, outcome) in [
            ("#!/bin/sh\n", Outcome::Pass),
            ("#! /bin/bash -e\necho", Outcome::Pass),
            // PKG-04 finds the carriage return.
            ("#!/bin/sh\r\n", Outcome::Pass),
            ("#!/usr/bin/env python3\n", Outcome::Pass),
            ("#!/usr/bin/python3\n", Outcome::Warn),
            ("#!sh\n", Outcome::Fail),
            ("#!\n", Outcome::Fail),
            ("\n#!/bin/sh\n", Outcome::Fail),
            ("\u{feff}#!/bin/sh\n", Outcome::Fail),
            ("", Outcome::Fail),
        ] {
            assert_eq!(shebang(script.as_bytes()).outcome, outcome, "{script:?}");
        }
    }
}
