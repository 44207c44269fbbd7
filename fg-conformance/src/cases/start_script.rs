//! PKG-02, PKG-04 and PKG-05: the name and the text of the start script.

use fg_emulator::ScriptName;

use crate::artifact::{interpreter, line_with_carriage_return, missing_interpreter};
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
    match line_with_carriage_return(script) {
        None => Ok("no carriage returns".to_owned()),
        Some(line) => Err(format!("line {line} has a carriage return")),
    }
}

/// Checks PKG-05.
pub(super) fn check_shebang(script: &[u8]) -> Finding {
    match interpreter(script) {
        Ok(interpreter) if SHELLS.contains(&interpreter.as_str()) => {
            Finding::pass(format!("#!{interpreter}"))
        }
        Ok(interpreter) => {
            let here = match missing_interpreter(script) {
                Some(_) => ", and this machine does not have it",
                None => "",
            };
            Finding::warn(format!(
                "it is unknown whether the platform has {interpreter}{here}"
            ))
        }
        Err(problem) => Finding::fail(problem),
    }
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
