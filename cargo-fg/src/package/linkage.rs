//! Checks that the program is statically linked.

use std::path::Path;

use anyhow::{Context, bail};

use fg_conformance::artifact::{Elf, Needs};

/// Returns a note for the user if the program needs glibc: the user's rustflags may override static linking.
///
/// # Errors
///
/// Returns an error if the program cannot be read, or needs a loader that FunctionGraph does not have.
pub(crate) fn linkage_note(program: &Path) -> anyhow::Result<Option<String>> {
    let cannot = || format!("cannot read {}", program.display());
    let bytes = std::fs::read(program).with_context(cannot)?;
    let elf = Elf::parse(&bytes).with_context(cannot)?;
    let because = "the program is not statically linked (check your rustflags): it needs";
    match elf.needs() {
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

    use super::linkage_note;

    #[test]
    fn dynamically_linked_program_causes_a_note() {
        let note = linkage_note(&std::env::current_exe().unwrap()).unwrap();
        let is_noted = note.is_some_and(|note| note.contains(": it needs glibc 2."));
        assert_eq!(is_noted, cfg!(not(target_feature = "crt-static")));
        let error = linkage_note(Path::new("/dev/null"))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "cannot read /dev/null");
    }
}
