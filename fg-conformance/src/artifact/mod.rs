//! Examines the artifacts of an extension without running them: ELF programs, ZIPs, and the marker with the script name.

mod archive;
mod elf;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod limits;
mod script_name_marker;
mod unpack;

pub(crate) use self::archive::{Archive, FOLDER};
pub use self::elf::{Elf, GlibcVersion, Needs};
pub use self::limits::{
    MAX_DIRECT_UPLOAD, MAX_FILES, MAX_OBJECT_STORAGE_UPLOAD, against_direct_upload_limit,
};
pub use self::script_name_marker::read_script_name;
pub use self::unpack::UnpackedPackage;
