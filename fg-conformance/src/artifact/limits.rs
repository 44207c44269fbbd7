//! The limits of a dependency.

/// How many bytes the console accepts directly (D user guide 03_0847); of how many bytes an MB is, the page does not say (?).
pub const MAX_DIRECT_UPLOAD: u64 = 10_000_000;
/// How many bytes are accepted through object storage (D user guide 03_0847).
pub const MAX_OBJECT_STORAGE_UPLOAD: u64 = 300_000_000;
/// How many files a dependency has at most (D user guide 03_0847).
pub const MAX_FILES: usize = 30_000;

/// Returns a package's size against the limit of a direct upload, for people.
///
/// ```
/// use fg_conformance::artifact::against_direct_upload_limit;
///
/// assert_eq!(against_direct_upload_limit(1_234_567), "1.23 MB, of the 10 MB of a direct upload");
/// ```
#[must_use]
pub fn against_direct_upload_limit(size: u64) -> String {
    let megabytes = format!("{}.{:02} MB", size / 1_000_000, size % 1_000_000 / 10_000);
    let of = if size <= MAX_DIRECT_UPLOAD {
        "of"
    } else {
        "more than"
    };
    format!("{megabytes}, {of} the 10 MB of a direct upload")
}

#[cfg(test)]
mod tests {
    use super::against_direct_upload_limit;

    #[test]
    fn sizes_at_the_limit() {
        for (size, text) in [
            (10_000_000, "10.00 MB, of the 10 MB of a direct upload"),
            (
                10_000_001,
                "10.00 MB, more than the 10 MB of a direct upload",
            ),
        ] {
            assert_eq!(against_direct_upload_limit(size), text);
        }
    }
}
