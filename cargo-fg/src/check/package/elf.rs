//! What an ELF program needs of the machine that it runs on.

use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Architecture, Endianness, Object};

use crate::check::report::{Finding, Outcome};

/// What nearly every Linux of the last ten years has.
const OLD_GLIBC: Version = Version(2, 17);
/// glibc's own, for the architectures that may be asked about.
const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

/// A version of glibc.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Version(u32, u32);

/// One that is an ELF file.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) name: String,
    /// Or why it cannot be read.
    facts: Result<Facts, String>,
    /// Whether it can be executed, as a library cannot.
    pub(super) is_executable: bool,
}

#[derive(Debug)]
struct Facts {
    architecture: Architecture,
    loader: Option<String>,
    glibc: Option<Version>,
}

impl Program {
    pub(super) fn new(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            facts: facts(bytes),
            is_executable: object::File::parse(bytes).is_ok_and(|file| file.entry() != 0),
        }
    }

    /// Whether this machine is of its architecture.
    pub(super) fn runs_here(&self) -> bool {
        let here = match std::env::consts::ARCH {
            "x86_64" => Architecture::X86_64,
            "aarch64" => Architecture::Aarch64,
            _ => Architecture::Unknown,
        };
        matches!(&self.facts, Ok(facts) if facts.architecture == here)
    }

    /// PKG-06.
    pub(super) fn architecture(&self) -> Finding {
        let name = &self.name;
        match &self.facts {
            Err(error) => Finding::fail(format!("{name} cannot be read as 64 bit ELF: {error}")),
            Ok(Facts { architecture, .. }) => match architecture {
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
        let Ok(Facts { loader, glibc, .. }) = &self.facts else {
            return Finding::pass(format!("{name} cannot be read"));
        };
        match (loader, glibc) {
            (Some(loader), _) if !LOADERS.contains(&loader.as_str()) => Finding::fail(format!(
                "{name} needs the loader {loader}, which is not glibc's"
            )),
            (_, Some(Version(major, minor))) if Version(*major, *minor) > OLD_GLIBC => {
                Finding::warn(format!(
                    "{name} needs glibc {major}.{minor}: whether the image has that is unknown"
                ))
            }
            (_, Some(Version(major, minor))) => {
                Finding::pass(format!("{name} needs glibc {major}.{minor}"))
            }
            (Some(_), None) => Finding::pass(format!("{name} needs glibc, of any version")),
            (None, None) => Finding::pass(format!("{name} is static")),
        }
    }
}

/// The worst that is found of any of them.
pub(super) fn worst(programs: &[Program], find: fn(&Program) -> Finding) -> Finding {
    let rank = |finding: &Finding| match finding.outcome {
        Outcome::Fail => 2,
        Outcome::Warn => 1,
        Outcome::Pass | Outcome::Skip => 0,
    };
    // The first of several that are equally bad.
    let findings = programs.iter().map(find).rev();
    findings
        .max_by_key(rank)
        .unwrap_or_else(|| Finding::pass("none"))
}

fn facts(bytes: &[u8]) -> Result<Facts, String> {
    read(bytes).map_err(|error| error.to_string())
}

fn read(bytes: &[u8]) -> object::Result<Facts> {
    let elf = ElfFile64::<Endianness>::parse(bytes)?;
    let endian = elf.endian();
    let mut loader = None;
    for segment in elf.elf_program_headers() {
        if let Some(path) = segment.interpreter(endian, bytes)? {
            loader = Some(String::from_utf8_lossy(path).into_owned());
        }
    }
    let mut glibc = None;
    let sections = elf.elf_section_table();
    if let Some((mut needs, link)) = sections.gnu_verneed(endian, bytes)? {
        let strings = sections.strings(endian, bytes, link)?;
        while let Some((_, mut versions)) = needs.next()? {
            while let Some(version) = versions.next()? {
                glibc = glibc.max(parse(version.name(endian, strings)?));
            }
        }
    }
    Ok(Facts {
        architecture: elf.architecture(),
        loader,
        glibc,
    })
}

/// Of `GLIBC_2.34` or `GLIBC_2.2.5`; other libraries have versions too.
fn parse(name: &[u8]) -> Option<Version> {
    let version = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
    let mut numbers = version.split('.').map(str::parse);
    Some(Version(numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Program, Version, parse};
    use crate::check::report::Outcome;

    #[test]
    fn versions() {
        assert_eq!(parse(b"GLIBC_2.34"), Some(Version(2, 34)));
        assert_eq!(parse(b"GLIBC_2.2.5"), Some(Version(2, 2)));
        for other in ["GLIBC_PRIVATE", "GCC_3.0", "GLIBC_2", ""] {
            assert_eq!(parse(other.as_bytes()), None);
        }
        assert!(Version(2, 9) < Version(2, 17));
    }

    #[test]
    fn this_very_program() {
        let path = std::env::current_exe().unwrap();
        let program = Program::new("this", &std::fs::read(path).unwrap());
        assert!(program.is_executable);
        let facts = program.facts.as_ref().unwrap();
        assert_eq!(facts.loader.is_some(), facts.glibc.is_some());
    }

    #[test]
    fn damaged() {
        let program = Program::new("demo", b"\x7fELF and no more");
        assert_eq!(program.architecture().outcome, Outcome::Fail);
    }
}
