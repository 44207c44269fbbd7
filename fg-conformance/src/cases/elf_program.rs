//! PKG-06, PKG-07 and PKG-15: the architecture, the glibc version and the shared libraries of an ELF program.

use object::Architecture;

use crate::artifact::{Elf, ExaminedProgram, GlibcVersion, Needs, file_name};
use crate::report::Finding;

/// A version of glibc that nearly every Linux image of the last ten years has.
const COMMON_GLIBC: GlibcVersion = GlibcVersion {
    major: 2,
    minor: 17,
};

/// The shared libraries of glibc, without their versions. Some have moved to other projects since.
const GLIBC_LIBRARIES: [&str; 16] = [
    "ld-linux-aarch64",
    "ld-linux-x86-64",
    "libBrokenLocale",
    "libanl",
    "libc",
    "libc_malloc_debug",
    "libcrypt",
    "libdl",
    "libm",
    "libmvec",
    "libnsl",
    "libpthread",
    "libresolv",
    "librt",
    "libthread_db",
    "libutil",
];
/// The libraries of GCC, which package managers and language runtimes need, so that nearly every image with glibc has them.
const GCC_LIBRARIES: [&str; 2] = ["libgcc_s.so.1", "libstdc++.so.6"];

/// An ELF file in the ZIP, or the program.
#[derive(Debug)]
pub(super) struct ElfProgram {
    pub(super) name: String,
    /// The mode bits that the ZIP stores.
    pub(super) mode: Option<u32>,
    /// The parsed file, or why it cannot be parsed.
    elf: Result<Elf, String>,
}

impl From<ExaminedProgram> for ElfProgram {
    fn from(program: ExaminedProgram) -> Self {
        Self {
            name: program.path,
            mode: program.mode,
            elf: program.elf,
        }
    }
}

impl ElfProgram {
    pub(super) fn new(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            mode: None,
            elf: Elf::parse(bytes).map_err(|error| error.to_string()),
        }
    }

    /// Iterates over the shared libraries that the file needs and that not every image with glibc has.
    pub(super) fn unusual_libraries(&self) -> impl Iterator<Item = &str> {
        let libraries = self.elf.iter().flat_map(|elf| &elf.libraries);
        let names = libraries.map(|library| file_name(library));
        names.filter(|name| !is_common_library(name))
    }

    /// Returns whether the file is an executable, not a library.
    pub(super) fn is_executable(&self) -> bool {
        matches!(&self.elf, Ok(elf) if elf.is_executable)
    }

    /// Returns whether this is not a program for another architecture than that of this machine.
    pub(super) fn matches_this_machine(&self) -> bool {
        let here = match std::env::consts::ARCH {
            "x86_64" => Architecture::X86_64,
            "aarch64" => Architecture::Aarch64,
            _ => Architecture::Unknown,
        };
        matches!(&self.elf, Ok(elf) if elf.architecture == here || !elf.is_executable)
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
                // Some packages contain the same library for several architectures.
                other if !elf.is_executable => {
                    Finding::warn(format!("{name} is a library that is built for {other:?}"))
                }
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

/// Returns whether the library belongs to glibc or GCC, or is the libc of musl, which PKG-07 reports.
fn is_common_library(name: &str) -> bool {
    let (library, _version) = name.split_once(".so").unwrap_or((name, ""));
    GLIBC_LIBRARIES.contains(&library)
        || GCC_LIBRARIES.contains(&name)
        || ["libnss_", "libc.musl-", "ld-musl-"]
            .iter()
            .any(|prefix| library.starts_with(prefix))
}

/// Returns the worst finding of a check on several programs; the first of several equally bad ones.
pub(super) fn worst_finding(programs: &[ElfProgram], check: fn(&ElfProgram) -> Finding) -> Finding {
    // `max_by_key` returns the last maximum, so the order is reversed.
    let findings = programs.iter().map(check).rev();
    findings
        .max_by_key(Finding::severity)
        .unwrap_or_else(|| Finding::pass("no programs"))
}

#[cfg(test)]
mod tests {
    use super::{ElfProgram, is_common_library};
    use crate::report::Outcome;

    #[test]
    fn libraries_of_glibc_are_common() {
        for common in [
            "libc.so.6",
            "libm.so.6",
            "ld-linux-x86-64.so.2",
            "libnss_files.so.2",
            "libgcc_s.so.1",
            "libstdc++.so.6",
            "libc.musl-x86_64.so.1",
        ] {
            assert!(is_common_library(common), "{common}");
        }
        for other in ["libssl.so.3", "libcap.so.2", "libz.so.1", "libstdc++.so.5"] {
            assert!(!is_common_library(other), "{other}");
        }
    }

    #[test]
    fn a_damaged_program_fails() {
        let program = ElfProgram::new("demo", b"\x7fELF and no more");
        assert!(!program.is_executable());
        assert_eq!(program.check_architecture().outcome, Outcome::Fail);
    }
}
