use std::path::Path;

use anyhow::{Context, bail};

use fg_conformance::artifact::{Elf, Needs};

/// What the user should know of how the program came to be linked: flags of their own may take back what we ask for.
pub(crate) fn linkage(program: &Path) -> anyhow::Result<Option<String>> {
    let cannot = || format!("cannot read {}", program.display());
    let bytes = std::fs::read(program).with_context(cannot)?;
    let elf = Elf::parse(&bytes).with_context(cannot)?;
    let because = "the program is not static (do rustflags say so?): it needs";
    match elf.needs() {
        Needs::OnlyKernel => Ok(None),
        Needs::Glibc(version) => {
            let version = version.map(|version| format!(" {version}"));
            let version = version.unwrap_or_default();
            Ok(Some(format!(
                "{because} glibc{version}, and whether FunctionGraph has that is unknown"
            )))
        }
        Needs::Loader(loader) => bail!("{because} {loader}, which FunctionGraph does not have"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::linkage;

    #[test]
    fn what_is_dynamic_is_told() {
        let note = linkage(&std::env::current_exe().unwrap()).unwrap();
        let is_told = note.is_some_and(|note| note.contains(": it needs glibc 2."));
        assert_eq!(is_told, cfg!(not(target_feature = "crt-static")));
        let error = linkage(Path::new("/dev/null")).unwrap_err().to_string();
        assert_eq!(error, "cannot read /dev/null");
    }
}
