//! The size limits of a dependency.

/// The maximum size of a direct upload in the console, in bytes (D user guide 03_0847: 10 MB. It is unknown (?)
/// whether an MB is 10^6 or 2^20 bytes; this is the smaller one).
pub const MAX_DIRECT_UPLOAD: u64 = 10_000_000;
/// The maximum size of an upload through object storage, in bytes (D user guide 03_0847).
pub const MAX_OBJECT_STORAGE_UPLOAD: u64 = 300_000_000;
/// The maximum number of files in a dependency (D user guide 03_0847).
pub const MAX_FILES: usize = 30_000;
/// The maximum size of all files of a ZIP that is unpacked. The platform's limit is unknown (?): this and the limits below
/// protect the machine against a small ZIP with large contents.
pub(crate) const MAX_UNPACKED_BYTES: u64 = 1_000_000_000;
/// The maximum number of entries, and of folders, of a ZIP that is examined.
pub(crate) const MAX_ENTRIES: usize = 100_000;
/// The maximum size of all names.
pub(crate) const MAX_NAME_BYTES: usize = 16_000_000;
/// The maximum size of all targets of links, each of which is followed.
pub(crate) const MAX_TARGET_BYTES: usize = 1_000_000;
/// The maximum length of a path or of the target of a link. Linux has no longer paths.
pub(crate) const MAX_PATH_BYTES: usize = 4096;
/// The maximum length of a file name on Linux.
pub(crate) const MAX_FILE_NAME_BYTES: usize = 255;
/// The maximum number of folders around a file. A deeper tree cannot be removed with few file descriptors.
pub(crate) const MAX_DEPTH: usize = 100;
/// How much of a start script is read. No reasonable script is larger.
pub(crate) const MAX_SCRIPT_BYTES: u64 = 1024 * 1024;
/// After how much of all start scripts no further ones are read.
pub(crate) const MAX_ALL_SCRIPTS_BYTES: usize = 16 * 1024 * 1024;
/// The maximum size of a program that is examined, which is read into memory.
pub(crate) const MAX_PROGRAM_BYTES: u64 = 300_000_000;

/// Formats the size of a ZIP together with the limit of a direct upload, for messages.
///
/// ```
/// use fg_conformance::artifact::against_direct_upload_limit;
///
/// assert_eq!(against_direct_upload_limit(1_234_567), "1.23 MB (limit of a direct upload: 10 MB)");
/// ```
#[must_use]
pub fn against_direct_upload_limit(size: u64) -> String {
    let megabytes = format!("{}.{:02} MB", size / 1_000_000, size % 1_000_000 / 10_000);
    if size <= MAX_DIRECT_UPLOAD {
        format!("{megabytes} (limit of a direct upload: 10 MB)")
    } else {
        format!("{megabytes}, over the limit of a direct upload: 10 MB")
    }
}

#[cfg(test)]
mod tests {
    use super::against_direct_upload_limit;

    #[test]
    fn size_over_the_limit_is_marked() {
        for (size, text) in [
            (10_000_000, "10.00 MB (limit of a direct upload: 10 MB)"),
            (
                10_000_001,
                "10.00 MB, over the limit of a direct upload: 10 MB",
            ),
        ] {
            assert_eq!(against_direct_upload_limit(size), text);
        }
    }
}
