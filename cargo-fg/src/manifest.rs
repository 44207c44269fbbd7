//! Reads the script name out of a compiled extension, without running it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, bail};

/// What `fg_extension::run` keeps in the program: this, the script name, and [`END`].
const PREFIX: &[u8] = b"\x1ffg-extension:name=";
const END: u8 = b'\x1f';

/// The script name that the program registers under, as in `extensionHello.sh`.
pub(crate) fn script_name(program: &Path) -> anyhow::Result<String> {
    let bytes =
        std::fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let mut names = find(&bytes);
    match (names.pop_first(), names.is_empty()) {
        (Some(name), true) => Ok(name),
        (None, _) => bail!(
            "{} is no extension: it has no `#[extension]` and does not call `fg_extension::run`",
            program.display()
        ),
        (Some(first), false) => {
            let all: Vec<_> = [first].into_iter().chain(names).collect();
            bail!(
                "{} has several extensions in it: {}",
                program.display(),
                all.join(", ")
            )
        }
    }
}

fn find(bytes: &[u8]) -> BTreeSet<String> {
    let starts = bytes
        .windows(PREFIX.len())
        .enumerate()
        .filter(|(_, window)| *window == PREFIX);
    starts
        .filter_map(|(at, _)| {
            let rest = &bytes[at + PREFIX.len()..];
            let name =
                std::str::from_utf8(&rest[..rest.iter().take(256).position(|byte| *byte == END)?])
                    .ok()?;
            (name.starts_with("extension") && name.ends_with(".sh")).then(|| name.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn finds_whole_names_only() {
        let bytes = b"\x7fELF \x1ffg-extension:name= \x1ffg-extension:name=extensionA.sh\x1f\0\
            \x1ffg-extension:name=extensionA.sh\x1f \x1ffg-extension:name=demo\x1f \x1ffg-extension:name=extension";
        assert_eq!(
            find(bytes).into_iter().collect::<Vec<_>>(),
            ["extensionA.sh"]
        );
        assert!(find(b"nothing here").is_empty());
    }
}
