//! What an ELF program needs of the machine that it runs on.

use std::fmt;

use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader};
use object::{Architecture, Endianness, Object, elf};

/// glibc's own, for the architectures that may be asked about.
const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

/// A program, or a library.
#[derive(Debug)]
pub(crate) struct Elf {
    pub(crate) architecture: Architecture,
    /// Whether it is to be executed, as a library is not.
    pub(crate) is_executable: bool,
    loader: Option<String>,
    glibc: Option<Version>,
}

/// What it needs beside a kernel.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Needs<'a> {
    /// It is static.
    Nothing,
    /// This version or a newer one, if it says so.
    Glibc(Option<Version>),
    /// Another loader than glibc's.
    Loader(&'a str),
}

/// A version of glibc.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32);

impl Elf {
    /// Of a file's bytes; only 64 bit ELF can be read.
    pub(crate) fn read(bytes: &[u8]) -> object::Result<Self> {
        let file = ElfFile64::<Endianness>::parse(bytes)?;
        let endian = file.endian();
        let mut is_executable = file.elf_header().e_type(endian) == elf::ET_EXEC;
        let mut loader = None;
        for segment in file.elf_program_headers() {
            if let Some(path) = segment.interpreter(endian, bytes)? {
                loader = Some(String::from_utf8_lossy(path).into_owned());
            }
            // A program that may lie anywhere in memory looks like a library, but for this flag.
            let dynamic = segment.dynamic(endian, bytes)?.unwrap_or_default();
            is_executable |= dynamic.iter().any(|entry| {
                entry.tag(endian) == elf::DT_FLAGS_1 && entry.d_val(endian) & elf::DF_1_PIE.0 != 0
            });
        }
        let mut glibc = None;
        let sections = file.elf_section_table();
        if let Some((mut needs, link)) = sections.gnu_verneed(endian, bytes)? {
            let strings = sections.strings(endian, bytes, link)?;
            while let Some((_, mut versions)) = needs.next()? {
                while let Some(version) = versions.next()? {
                    glibc = glibc.max(parse(version.name(endian, strings)?));
                }
            }
        }
        Ok(Self {
            architecture: file.architecture(),
            is_executable: is_executable || loader.is_some(),
            loader,
            glibc,
        })
    }

    pub(crate) fn needs(&self) -> Needs<'_> {
        match (&self.loader, self.glibc) {
            (Some(loader), _) if !LOADERS.contains(&loader.as_str()) => Needs::Loader(loader),
            (None, None) => Needs::Nothing,
            (_, version) => Needs::Glibc(version),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Of `GLIBC_2.34` or `GLIBC_2.2.5`; other libraries have versions too.
fn parse(name: &[u8]) -> Option<Version> {
    let version = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
    let mut numbers = version.split('.').map(str::parse);
    Some(Version(numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Elf, Needs, Version, parse};

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
        let elf = Elf::read(&std::fs::read(path).unwrap()).unwrap();
        assert!(elf.is_executable);
        let is_static = cfg!(target_feature = "crt-static");
        assert_eq!(elf.needs() == Needs::Nothing, is_static, "{elf:?}");
    }
}
