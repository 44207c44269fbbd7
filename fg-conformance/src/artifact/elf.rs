//! [`Elf`]: the architecture, loader, glibc version and shared libraries that an ELF program needs.

use std::collections::BTreeSet;
use std::fmt;

use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader};
use object::{Architecture, Endianness, Object, ObjectSection, elf};

use super::limits::MAX_PATH_BYTES;
use crate::Error;

/// The loaders of glibc for the supported architectures.
const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

/// How many versions of symbols are read from a file. The tables of a damaged file can overlap.
const MAX_VERSIONS: usize = 100_000;
/// How many shared libraries are read from a file. No reasonable program needs more.
const MAX_LIBRARIES: usize = 200;

/// A program or library in 64-bit ELF format.
#[derive(Debug)]
pub struct Elf {
    /// The architecture that it is compiled for.
    pub(crate) architecture: Architecture,
    /// Whether it is an executable, not a library.
    pub(crate) is_executable: bool,
    loader: Option<String>,
    glibc: Option<GlibcVersion>,
    /// The shared libraries that it needs, as it names them.
    pub(crate) libraries: BTreeSet<String>,
    debug_size: u64,
}

/// What a program needs besides the kernel.
///
/// This enum is exhaustive, because code that packages a program has to handle each variant.
#[derive(Debug, Eq, PartialEq)]
pub enum Needs<'a> {
    /// Only the kernel: the program is static.
    OnlyKernel,
    /// glibc. If the program names a version, this one or a newer one.
    Glibc(Option<GlibcVersion>),
    /// A loader that does not belong to glibc.
    Loader(&'a str),
}

/// A version of glibc, for example 2.17.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct GlibcVersion {
    /// The major version, the 2 of 2.17.
    pub major: u32,
    /// The minor version, the 17 of 2.17.
    pub minor: u32,
}

impl Elf {
    /// Parses the contents of a file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is not 64-bit ELF, or is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        Self::try_parse(bytes).map_err(|error| Error::new(error.to_string()))
    }

    fn try_parse(bytes: &[u8]) -> object::Result<Self> {
        let file = ElfFile64::<Endianness>::parse(bytes)?;
        let endian = file.endian();
        let mut is_executable = file.elf_header().e_type(endian) == elf::ET_EXEC;
        let mut loader = None;
        for segment in file.elf_program_headers() {
            if let Some(path) = segment.interpreter(endian, bytes)? {
                let path = &path[..path.len().min(MAX_PATH_BYTES)];
                loader = Some(String::from_utf8_lossy(path).into_owned());
            }
            // Only this flag distinguishes a position-independent executable from a library.
            let dynamic = segment.dynamic(endian, bytes)?.unwrap_or_default();
            is_executable |= dynamic.iter().any(|entry| {
                entry.tag(endian) == elf::DT_FLAGS_1 && entry.d_val(endian) & elf::DF_1_PIE.0 != 0
            });
        }
        let mut glibc = None;
        let sections = file.elf_section_table();
        if let Some((mut needs, link)) = sections.gnu_verneed(endian, bytes)? {
            let strings = sections.strings(endian, bytes, link)?;
            let mut count = 0;
            while let Some((_, mut versions)) = needs.next()? {
                while let Some(version) = versions.next()?
                    && count < MAX_VERSIONS
                {
                    count += 1;
                    glibc = glibc.max(parse_version(version.name(endian, strings)?));
                }
            }
        }
        Ok(Self {
            architecture: file.architecture(),
            is_executable: is_executable || loader.is_some(),
            loader,
            glibc,
            libraries: libraries(&file),
            debug_size: debug_size(&file),
        })
    }

    /// Returns the size of debug information and symbols in bytes, which stripping the program would remove.
    #[must_use]
    pub fn debug_size(&self) -> u64 {
        self.debug_size
    }

    /// Returns what the program needs besides the kernel.
    #[must_use]
    pub fn needs(&self) -> Needs<'_> {
        match (&self.loader, self.glibc) {
            (Some(loader), _) if !LOADERS.contains(&loader.as_str()) => Needs::Loader(loader),
            (None, None) => Needs::OnlyKernel,
            (_, version) => Needs::Glibc(version),
        }
    }
}

/// Returns the size of the sections that no program needs to run. A section without a valid name counts as needed.
fn debug_size(file: &ElfFile64<'_, Endianness>) -> u64 {
    let sections = file.sections().filter(|section| {
        section
            .name()
            .is_ok_and(|name| name.starts_with(".debug_") || [".symtab", ".strtab"].contains(&name))
    });
    let sizes = sections.filter_map(|section| Some(section.file_range()?.1));
    sizes.fold(0, u64::saturating_add)
}

/// Returns the shared libraries that the file needs. A damaged table counts as empty, because the loader reads another one.
fn libraries(file: &ElfFile64<'_, Endianness>) -> BTreeSet<String> {
    let table = file.elf_dynamic_table().unwrap_or_default();
    let needed = table.iter().filter(|entry| entry.tag == elf::DT_NEEDED);
    let names = needed.take(MAX_LIBRARIES).filter_map(|entry| {
        let name = std::str::from_utf8(table.string(entry).ok()?).ok()?;
        (!name.is_empty() && name.len() <= MAX_PATH_BYTES).then(|| name.to_owned())
    });
    names.collect()
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Parses a version such as `GLIBC_2.34` or `GLIBC_2.2.5`. Returns `None` for the versions of other libraries.
fn parse_version(name: &[u8]) -> Option<GlibcVersion> {
    let version = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
    let mut numbers = version.split('.').map(str::parse);
    Some(GlibcVersion {
        major: numbers.next()?.ok()?,
        minor: numbers.next()?.ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Elf, GlibcVersion, Needs, parse_version};

    #[test]
    fn glibc_versions_are_parsed_and_ordered() {
        let version = |major, minor| GlibcVersion { major, minor };
        assert_eq!(parse_version(b"GLIBC_2.34"), Some(version(2, 34)));
        assert_eq!(parse_version(b"GLIBC_2.2.5"), Some(version(2, 2)));
        for other in ["GLIBC_PRIVATE", "GCC_3.0", "GLIBC_2", ""] {
            assert_eq!(parse_version(other.as_bytes()), None);
        }
        assert!(version(2, 9) < version(2, 17));
    }

    #[test]
    fn the_test_program_is_executable() {
        let path = std::env::current_exe().unwrap();
        let elf = Elf::parse(&std::fs::read(path).unwrap()).unwrap();
        assert!(elf.is_executable);
        assert!(elf.debug_size() > 0);
        let is_static = cfg!(target_feature = "crt-static");
        assert_eq!(elf.needs() == Needs::OnlyKernel, is_static, "{elf:?}");
        assert_eq!(elf.libraries.contains("libc.so.6"), !is_static, "{elf:?}");
    }
}
