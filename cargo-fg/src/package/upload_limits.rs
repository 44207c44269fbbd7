//! How large a dependency may be.

use anyhow::bail;

/// The most that the console takes directly, and by way of object storage (D user guide 03_0847); of how many
/// bytes an MB is, it does not say (?).
pub(crate) const DIRECT: u64 = 10_000_000;
pub(crate) const STORED: u64 = 300_000_000;

/// Returns a package's size, for people.
pub(crate) fn against_limit(size: u64) -> String {
    let megabytes = format!("{}.{:02} MB", size / 1_000_000, size % 1_000_000 / 10_000);
    let of = if size <= DIRECT { "of" } else { "more than" };
    format!("{megabytes}, {of} the 10 MB of a direct upload")
}

/// Returns how a package of this size is uploaded (D user guide 01_2119).
pub(crate) fn how_to_upload(size: u64) -> anyhow::Result<&'static str> {
    if size <= DIRECT {
        Ok("it in the console: Functions > Dependencies > Create Dependency")
    } else if size <= STORED {
        Ok(
            "it to object storage (OBS), and name it in the console: Functions > Dependencies > Create Dependency",
        )
    } else {
        bail!("FunctionGraph takes 300 MB at most: include less")
    }
}

#[cfg(test)]
mod tests {
    use super::{against_limit, how_to_upload};

    #[test]
    fn large_packages_go_through_storage() {
        let direct = against_limit(10_000_000);
        assert_eq!(direct, "10.00 MB, of the 10 MB of a direct upload");
        let stored = against_limit(10_000_001);
        assert_eq!(stored, "10.00 MB, more than the 10 MB of a direct upload");
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
