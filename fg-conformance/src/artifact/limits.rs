//! The size limits of a dependency.

/// The maximum size of a direct upload in the console, in bytes (D user guide 03_0847: 10 MB. It is unknown (?)
/// whether an MB is 10^6 or 2^20 bytes; this is the smaller one).
pub const MAX_DIRECT_UPLOAD: u64 = 10_000_000;
/// The maximum size of an upload through object storage, in bytes (D user guide 03_0847).
pub const MAX_OBJECT_STORAGE_UPLOAD: u64 = 300_000_000;
/// The maximum number of files in a dependency (D user guide 03_0847).
pub const MAX_FILES: usize = 30_000;
/// The maximum size of all files of a ZIP that is unpacked. The platform's limit is unknown (?): this protects the machine
/// against a small ZIP with large contents.
pub(crate) const MAX_UNPACKED_BYTES: u64 = 1_000_000_000;
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
