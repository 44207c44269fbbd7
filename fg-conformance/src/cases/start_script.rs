//! PKG-02, PKG-04 and PKG-05: the name and the text of the start script.

use std::path::Path;

use fg_emulator::ScriptName;

use crate::report::Finding;

/// Interpreters that exist in every Linux image.
const SHELLS: [&str; 5] = [
    "/bin/sh",
    "/bin/bash",
    "/usr/bin/sh",
    "/usr/bin/bash",
    "/usr/bin/env",
];

/// Checks the name of the script for PKG-02.
pub(super) fn check_name(name: &str) -> Result<String, String> {
    if ScriptName::is_valid(name) {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "`{name}` is not a valid script name; expected `extension….sh`"
        ))
    }
}

/// Checks PKG-04.
pub(super) fn check_line_endings(script: &[u8]) -> Result<String, String> {
    match script
        .split(|byte| *byte == b'\n')
        .position(|line| line.contains(&b'\r'))
    {
        None => Ok("no carriage returns".to_owned()),
        Some(before) => Err(format!("line {} has a carriage return", before + 1)),
    }
}

/// Checks PKG-05.
pub(super) fn check_shebang(script: &[u8]) -> Finding {
    let line = script
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    if line.starts_with('\u{feff}') {
        return Finding::fail("the script starts with a byte order mark");
    }
    let Some(rest) = line.strip_prefix("#!") else {
        return Finding::fail("the first line does not start with `#!`");
    };
    match rest.split_whitespace().next() {
        Some(interpreter) if SHELLS.contains(&interpreter) => {
            Finding::pass(format!("#!{interpreter}"))
        }
        Some(interpreter) if interpreter.starts_with('/') => {
            let here = match missing_interpreter(script) {
                Some(_) => ", and this machine does not have it",
                None => "",
            };
            Finding::warn(format!(
                "it is unknown whether the platform has {interpreter}{here}"
            ))
        }
        Some(interpreter) => Finding::fail(format!(
            "the interpreter `{interpreter}` is not an absolute path"
        )),
        None => Finding::fail("the `#!` line does not name an interpreter"),
    }
}

/// Returns the interpreter that the first line names, if this machine does not have it and cannot run the script.
pub(super) fn missing_interpreter(script: &[u8]) -> Option<String> {
    let line = script.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let interpreter = line.strip_prefix("#!")?.split_whitespace().next()?;
    let is_missing = interpreter.starts_with('/') && !Path::new(interpreter).exists();
    is_missing.then(|| interpreter.to_owned())
}

#[cfg(test)]
mod tests {
    use super::check_shebang;
    use crate::report::Outcome;

    #[test]
    fn first_line_must_name_a_shell() {
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
            let finding = check_shebang(script.as_bytes());
            assert_eq!(finding.outcome, outcome, "{script:?}");
        }
    }
}
