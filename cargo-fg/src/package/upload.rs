//! How a package is uploaded.

use anyhow::bail;
use fg_conformance::artifact::{MAX_DIRECT_UPLOAD, MAX_OBJECT_STORAGE_UPLOAD};

/// Returns how a package of this size is uploaded (D user guide 01_2119).
pub(crate) fn how_to_upload(size: u64) -> anyhow::Result<&'static str> {
    if size <= MAX_DIRECT_UPLOAD {
        Ok("it in the console: Functions > Dependencies > Create Dependency")
    } else if size <= MAX_OBJECT_STORAGE_UPLOAD {
        Ok(
            "it to object storage (OBS), and name it in the console: Functions > Dependencies > Create Dependency",
        )
    } else {
        bail!("FunctionGraph takes 300 MB at most: include less")
    }
}

#[cfg(test)]
mod tests {
    use super::how_to_upload;

    #[test]
    fn large_packages_go_through_storage() {
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
