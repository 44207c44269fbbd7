//! Checks that the program is statically linked.

use std::path::Path;

use anyhow::{Context, bail};

use fg_conformance::artifact::{Elf, Needs};

/// Reads a program.
///
/// # Errors
///
/// Returns an error if the file cannot be read, or is not a program.
pub(crate) fn read_program(path: &Path) -> anyhow::Result<Elf> {
    let cannot = || format!("cannot read {}", path.display());
    let bytes = std::fs::read(path).with_context(cannot)?;
    Elf::parse(&bytes).with_context(cannot)
}

/// Returns a note for the user if the program needs glibc: the user's rustflags may override static linking.
///
/// # Errors
///
/// Returns an error if the program needs a loader that FunctionGraph does not have.
pub(crate) fn linkage_note(program: &Elf) -> anyhow::Result<Option<String>> {
    let because = "the program is not statically linked (check your rustflags): it needs";
    match program.needs() {
        Needs::OnlyKernel => Ok(None),
        Needs::Glibc(version) => {
            let version = version.map(|version| format!(" {version}"));
            let version = version.unwrap_or_default();
            Ok(Some(format!(
                "{because} glibc{version}, and it is unknown whether FunctionGraph has that version"
            )))
        }
        Needs::Loader(loader) => bail!("{because} {loader}, which FunctionGraph does not have"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{linkage_note, read_program};

    #[test]
    fn dynamically_linked_program_causes_a_note() {
        let program = read_program(&std::env::current_exe().unwrap()).unwrap();
        let note = linkage_note(&program).unwrap();
        let is_noted = note.is_some_and(|note| note.contains(": it needs glibc 2."));
        assert_eq!(is_noted, cfg!(not(target_feature = "crt-static")));
        let error = read_program(Path::new("/dev/null"))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "cannot read /dev/null");
    }
}
