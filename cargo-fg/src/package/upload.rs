//! How to upload a ZIP, depending on its size.

use anyhow::bail;
use fg_conformance::artifact::{MAX_DIRECT_UPLOAD, MAX_OBJECT_STORAGE_UPLOAD};

/// Returns how to upload a ZIP of this size (D user guide 01_2119). The text continues the label `Upload`.
///
/// # Errors
///
/// Returns an error if FunctionGraph does not accept a ZIP of this size.
pub(crate) fn how_to_upload(size: u64) -> anyhow::Result<&'static str> {
    if size <= MAX_DIRECT_UPLOAD {
        Ok("it in the console: Functions > Dependencies > Create Dependency")
    } else if size <= MAX_OBJECT_STORAGE_UPLOAD {
        Ok(
            "it to object storage (OBS), then enter its URL in the console: Functions > Dependencies > Create Dependency",
        )
    } else {
        bail!("FunctionGraph accepts at most 300 MB; include fewer files")
    }
}

#[cfg(test)]
mod tests {
    use super::how_to_upload;

    #[test]
    fn large_zips_go_through_object_storage() {
        for (size, how) in [
            (10_000_000, "it in the console: "),
            (10_000_001, "it to object storage (OBS), "),
            (300_000_000, "it to object storage (OBS), "),
        ] {
            assert!(how_to_upload(size).unwrap().starts_with(how));
        }
        assert!(how_to_upload(300_000_001).is_err());
    }
}
