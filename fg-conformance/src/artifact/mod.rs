//! Examines the artifacts of an extension without running them: ELF programs, ZIPs, and the marker with the script name.

mod archive;
mod cancellation;
mod elf;
mod entry;
mod examine;
mod executable;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod limits;
mod path;
mod script_name_marker;
mod unpack;
mod unpacked_package;
mod zip_error;

pub(crate) use self::archive::{Archive, FOLDER, Resolved};
pub(crate) use self::cancellation::run_blocking;
pub use self::elf::{Elf, GlibcVersion, Needs};
pub(crate) use self::examine::{ELF_MAGIC, ExaminedProgram, ExaminedZip, examine};
pub use self::executable::check_executable;
pub(crate) use self::executable::{interpreter, line_with_carriage_return, missing_interpreter};
pub(crate) use self::limits::MAX_ALL_SCRIPTS_BYTES;
pub use self::limits::{
    MAX_DIRECT_UPLOAD, MAX_FILES, MAX_OBJECT_STORAGE_UPLOAD, against_direct_upload_limit,
};
pub(crate) use self::path::file_name;
pub use self::script_name_marker::read_script_name;
pub use self::unpacked_package::UnpackedPackage;
pub(crate) use self::unpacked_package::choose;
pub(crate) use self::zip_error::ZipError;
