//! PKG-06 and 07, of one ELF program.

use object::Architecture;

use crate::artifact::{Elf, GlibcVersion, Needs};
use crate::report::{Finding, Outcome};

/// What nearly every Linux of the last ten years has.
const OLD_GLIBC: GlibcVersion = GlibcVersion {
    major: 2,
    minor: 17,
};

/// A file that is ELF.
#[derive(Debug)]
pub(super) struct ElfProgram {
    pub(super) name: String,
    /// Or why it cannot be read.
    elf: Result<Elf, String>,
}

impl ElfProgram {
    pub(super) fn new(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            elf: Elf::parse(bytes).map_err(|error| error.to_string()),
        }
    }

    /// Whether it is to be executed, as a library is not.
    pub(super) fn is_executable(&self) -> bool {
        matches!(&self.elf, Ok(elf) if elf.is_executable)
    }

    /// Whether this machine is of its architecture.
    pub(super) fn runs_here(&self) -> bool {
        let here = match std::env::consts::ARCH {
            "x86_64" => Architecture::X86_64,
            "aarch64" => Architecture::Aarch64,
            _ => Architecture::Unknown,
        };
        matches!(&self.elf, Ok(elf) if elf.architecture == here)
    }

    /// PKG-06.
    pub(super) fn architecture(&self) -> Finding {
        let name = &self.name;
        match &self.elf {
            Err(error) => Finding::fail(format!("{name} cannot be read as 64 bit ELF: {error}")),
            Ok(elf) => match elf.architecture {
                Architecture::X86_64 => Finding::pass(format!("{name} is for x86-64")),
                Architecture::Aarch64 => Finding::warn(format!(
                    "{name} is for aarch64: whether the platform has such machines is unknown"
                )),
                other => Finding::fail(format!("{name} is for {other:?}")),
            },
        }
    }

    /// PKG-07.
    pub(super) fn needs(&self) -> Finding {
        let name = &self.name;
        let Ok(elf) = &self.elf else {
            return Finding::pass(format!("{name} cannot be read"));
        };
        match elf.needs() {
            Needs::OnlyKernel => Finding::pass(format!("{name} is static")),
            Needs::Glibc(None) => Finding::pass(format!("{name} needs glibc, of any version")),
            Needs::Glibc(Some(version)) if version > OLD_GLIBC => Finding::warn(format!(
                "{name} needs glibc {version}: whether the image has that is unknown"
            )),
            Needs::Glibc(Some(version)) => Finding::pass(format!("{name} needs glibc {version}")),
            Needs::Loader(loader) => Finding::fail(format!(
                "{name} needs the loader {loader}, which is not glibc's"
            )),
        }
    }
}

/// The worst that is found of any of them.
pub(super) fn worst(programs: &[ElfProgram], check: fn(&ElfProgram) -> Finding) -> Finding {
    let rank = |finding: &Finding| match finding.outcome {
        Outcome::Fail => 2,
        Outcome::Warn => 1,
        Outcome::Pass | Outcome::Skip => 0,
    };
    // The first of several that are equally bad.
    let findings = programs.iter().map(check).rev();
    findings
        .max_by_key(rank)
        .unwrap_or_else(|| Finding::pass("none"))
}

#[cfg(test)]
mod tests {
    use super::ElfProgram;
    use crate::report::Outcome;

    #[test]
    fn damaged() {
        let program = ElfProgram::new("demo", b"\x7fELF and no more");
        assert!(!program.is_executable());
        assert_eq!(program.architecture().outcome, Outcome::Fail);
    }
}
