//! PKG-06 and PKG-07: the architecture and the glibc version of an ELF program.

use object::Architecture;

use crate::artifact::{Elf, GlibcVersion, Needs};
use crate::report::{Finding, Outcome};

/// A version of glibc that nearly every Linux image of the last ten years has.
const COMMON_GLIBC: GlibcVersion = GlibcVersion {
    major: 2,
    minor: 17,
};

/// An ELF file in the ZIP, or the program.
#[derive(Debug)]
pub(super) struct ElfProgram {
    pub(super) name: String,
    /// The parsed file, or why it cannot be parsed.
    elf: Result<Elf, String>,
}

impl ElfProgram {
    pub(super) fn new(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            elf: Elf::parse(bytes).map_err(|error| error.to_string()),
        }
    }

    /// Returns whether the file is an executable, not a library.
    pub(super) fn is_executable(&self) -> bool {
        matches!(&self.elf, Ok(elf) if elf.is_executable)
    }

    /// Returns whether the program is built for the architecture of this machine.
    pub(super) fn matches_this_machine(&self) -> bool {
        let here = match std::env::consts::ARCH {
            "x86_64" => Architecture::X86_64,
            "aarch64" => Architecture::Aarch64,
            _ => Architecture::Unknown,
        };
        matches!(&self.elf, Ok(elf) if elf.architecture == here)
    }

    /// Checks PKG-06.
    pub(super) fn check_architecture(&self) -> Finding {
        let name = &self.name;
        match &self.elf {
            Err(error) => Finding::fail(format!("cannot read {name} as 64-bit ELF: {error}")),
            Ok(elf) => match elf.architecture {
                Architecture::X86_64 => Finding::pass(format!("{name} is built for x86-64")),
                Architecture::Aarch64 => Finding::warn(format!(
                    "{name} is built for aarch64; it is unknown whether the platform has such machines"
                )),
                other => Finding::fail(format!("{name} is built for {other:?}")),
            },
        }
    }

    /// Checks PKG-07.
    pub(super) fn check_glibc(&self) -> Finding {
        let name = &self.name;
        let Ok(elf) = &self.elf else {
            return Finding::pass(format!("cannot read {name}"));
        };
        match elf.needs() {
            Needs::OnlyKernel => Finding::pass(format!("{name} is static")),
            Needs::Glibc(None) => Finding::pass(format!("{name} needs any version of glibc")),
            Needs::Glibc(Some(version)) if version > COMMON_GLIBC => Finding::warn(format!(
                "{name} needs glibc {version}; it is unknown whether the platform has it"
            )),
            Needs::Glibc(Some(version)) => Finding::pass(format!("{name} needs glibc {version}")),
            Needs::Loader(loader) => Finding::fail(format!(
                "{name} needs the loader {loader}, which does not belong to glibc"
            )),
        }
    }
}

/// Returns the worst finding of a check on several programs; the first of several equally bad ones.
pub(super) fn worst_finding(programs: &[ElfProgram], check: fn(&ElfProgram) -> Finding) -> Finding {
    let rank = |finding: &Finding| match finding.outcome {
        Outcome::Fail => 2,
        Outcome::Warn => 1,
        Outcome::Pass | Outcome::Skip => 0,
    };
    // `max_by_key` returns the last maximum, so the order is reversed.
    let findings = programs.iter().map(check).rev();
    findings
        .max_by_key(rank)
        .unwrap_or_else(|| Finding::pass("no programs"))
}

#[cfg(test)]
mod tests {
    use super::ElfProgram;
    use crate::report::Outcome;

    #[test]
    fn a_damaged_program_fails() {
        let program = ElfProgram::new("demo", b"\x7fELF and no more");
        assert!(!program.is_executable());
        assert_eq!(program.check_architecture().outcome, Outcome::Fail);
    }
}
