//! Reads the script name from a compiled extension. `fg-extension` embeds it with a marker.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::Path;

use fg_emulator::ScriptName;
use fg_util::script_name::{MARKER_END as END, MARKER_PREFIX as PREFIX};

use crate::Error;

/// Returns the script name under which a program compiled with `fg-extension` registers, for example `extensionHello.sh`.
///
/// # Errors
///
/// Returns an error if the program cannot be read, or does not contain exactly one script name.
pub fn read_script_name(program: &Path) -> Result<String, Error> {
    let shown = program.display();
    let bytes = std::fs::read(program).map_err(Error::because(format!("cannot read {shown}")))?;
    let mut names = find(&bytes);
    match (names.pop_first(), names.is_empty()) {
        (Some(name), true) => Ok(name),
        (None, _) => Err(Error::new(format!(
            "{shown} is not an extension: it neither uses `#[extension]` nor calls `fg_extension::run`"
        ))),
        (Some(first), false) => {
            let all: Vec<_> = [first].into_iter().chain(names).collect();
            let all = all.join(", ");
            Err(Error::new(format!(
                "{shown} contains several extensions: {all}; expected one"
            )))
        }
    }
}

pub(super) fn find(mut bytes: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // Programs can have tens of megabytes. The byte search of std is fast even in a debug build of this crate.
    while let Ok(1..) = bytes.skip_until(PREFIX[0]) {
        let Some(rest) = bytes.strip_prefix(&PREFIX[1..]) else {
            continue;
        };
        let name = rest.split(|byte| *byte == END).next().unwrap_or_default();
        if name.len() < rest.len()
            && let Ok(name) = std::str::from_utf8(name)
            && ScriptName::is_valid(name)
        {
            names.insert(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn only_complete_names_are_found() {
        let bytes = b"\x7fELF \x1ffg-extension:name= \x1ffg-extension:name=extensionA.sh\x1f\0\
            \x1ffg-extension:name=extensionA.sh\x1f \x1ffg-extension:name=demo\x1f \x1ffg-extension:name=extension";
        assert_eq!(
            find(bytes).into_iter().collect::<Vec<_>>(),
            ["extensionA.sh"]
        );
        assert!(find(b"no marker").is_empty());
    }
}
