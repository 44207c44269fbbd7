//! What is deployed: a ZIP on this machine, or an object in OBS.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fg_conformance::artifact::{MAX_OBJECT_STORAGE_UPLOAD, UnpackedPackage};
use ring::digest::{SHA256, digest};
use ureq::http::Uri;

use super::api::Contents;

/// The largest ZIP in a request (D 0152).
const MAX_ZIP: u64 = 40_000_000;

/// The largest body of a request that is signed with an access key (D: API Request Signing Guide, `api-sign-provide01`). The page of
/// the request itself (D 0152) allows more, so whether FunctionGraph rejects a longer body is unknown (?).
pub(super) const MAX_SIGNED_BODY: u64 = 12_000_000;

/// The longest name of a dependency (D 0152).
const MAX_NAME: usize = 96;

/// The longest description of a dependency version (D 0152).
const MAX_DESCRIPTION: usize = 512;

/// A ZIP that was read, with the digest by which an uploaded version of it is found again.
#[derive(Debug)]
pub(super) struct Zip {
    pub(super) path: PathBuf,
    pub(super) size: usize,
    pub(super) sha256: String,
    base64: String,
}

impl Zip {
    /// Reads the ZIP of an extension.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not the ZIP of an extension, or too large.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        check_package(path)?;
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        check_size(path, bytes.len() as u64)?;
        let sha256 = digest(&SHA256, &bytes);
        Ok(Self {
            path: path.to_path_buf(),
            size: bytes.len(),
            sha256: sha256
                .as_ref()
                .iter()
                .map(|it| format!("{it:02x}"))
                .collect(),
            base64: BASE64_STANDARD.encode(&bytes),
        })
    }

    /// Returns a warning if the upload is longer than a signed request may be by its documentation.
    pub(super) fn warning(&self) -> Option<&'static str> {
        let is_long = self.base64.len() as u64 > MAX_SIGNED_BODY;
        is_long.then_some(
            "the upload is longer than 12 MB, which FunctionGraph may reject in a signed request; if it does, upload the ZIP to a \
             bucket in OBS, then give its URL with --link",
        )
    }

    pub(super) fn contents(&self) -> Contents {
        Contents::Base64(self.base64.clone())
    }

    /// Returns the mark of this ZIP in the description of its version.
    pub(super) fn mark(&self) -> String {
        format!("sha256:{}", self.sha256)
    }
}

/// Unpacks the ZIP as the platform would, which finds every mistake in its layout.
pub(super) fn check_package(path: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .context("cannot start the tokio runtime")?;
    runtime.block_on(UnpackedPackage::unpack(path, None))?;
    Ok(())
}

fn check_size(path: &Path, size: u64) -> anyhow::Result<()> {
    let megabytes = |bytes: u64| format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10);
    let shown = path.display();
    if size > MAX_OBJECT_STORAGE_UPLOAD {
        bail!(
            "{shown} has {}, and FunctionGraph accepts at most 300 MB; include fewer files",
            megabytes(size)
        );
    }
    if size > MAX_ZIP {
        bail!(
            "{shown} has {}, and a request can carry a ZIP of at most 40 MB; upload it to a bucket in OBS, then run `cargo fg deploy \
             --link URL` with the URL of the object",
            megabytes(size)
        );
    }
    Ok(())
}

/// Checks the URL of an object in OBS.
///
/// # Errors
///
/// Returns a message if the text is not such a URL.
pub(crate) fn parse_link(text: &str) -> Result<String, String> {
    let is_valid = text.parse().is_ok_and(|uri: Uri| {
        let has_user = uri.authority().is_some_and(|it| it.as_str().contains('@'));
        uri.scheme_str() == Some("https") && !has_user && uri.path().len() > 1
    });
    match is_valid && !text.contains(['?', '#']) {
        true => Ok(text.to_owned()),
        false => Err(
            "expected the URL of an object, without a query, such as https://BUCKET.obs.REGION.myhuaweicloud.com/NAME.zip"
                .to_owned(),
        ),
    }
}

/// Checks the name of a dependency (D 0152).
///
/// # Errors
///
/// Returns a message if the API would reject it.
pub(crate) fn parse_name(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let is_valid = text.len() <= MAX_NAME
        && text.bytes().all(is_allowed)
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.ends_with(|last: char| last.is_ascii_alphanumeric());
    match is_valid {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "the name of a dependency has letters, digits, `_`, `.` and `-`, starts with a letter, ends with a letter or a digit, and \
             has at most {MAX_NAME} characters"
        )),
    }
}

/// Returns the name of a dependency for a file or a URL: its last part without the extension.
///
/// # Errors
///
/// Returns an error if that is not a valid name.
pub(super) fn name_of(path: &str) -> anyhow::Result<String> {
    let file = path.rsplit('/').next().unwrap_or_default();
    let name = file.strip_suffix(".zip").unwrap_or(file);
    parse_name(name)
        .map_err(anyhow::Error::msg)
        .with_context(|| {
            format!("cannot name the dependency after {path}; choose a name with --name")
        })
}

/// Returns the description of the version, which ends with the mark of its ZIP.
///
/// # Errors
///
/// Returns an error if it is too long.
pub(super) fn description(text: Option<&str>, mark: Option<&str>) -> anyhow::Result<String> {
    let text = text.unwrap_or("cargo fg deploy");
    let description = match mark {
        Some(mark) => format!("{text} ({mark})"),
        None => text.to_owned(),
    };
    let length = description.chars().count();
    if length > MAX_DESCRIPTION {
        let most = MAX_DESCRIPTION - (length - text.chars().count());
        bail!("the description is too long: at most {most} characters are possible");
    }
    Ok(description)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{check_size, description, name_of, parse_link, parse_name};

    #[test]
    fn large_zips_need_a_link() {
        let path = Path::new("big.zip");
        check_size(path, 40_000_000).unwrap();
        let error = check_size(path, 40_100_000).unwrap_err().to_string();
        assert!(
            error.contains("has 40.1 MB") && error.contains("--link"),
            "{error}"
        );
        let error = check_size(path, 300_000_001).unwrap_err().to_string();
        assert!(error.contains("at most 300 MB"), "{error}");
    }

    #[test]
    fn names_and_links_are_those_that_the_api_accepts() {
        let long = "a".repeat(96);
        for name in ["a", "hello", "night-watch_1.2", &long] {
            parse_name(name).unwrap();
        }
        for name in ["", "1a", "a-", "a b", "ä", &format!("{long}a")] {
            assert!(parse_name(name).is_err(), "{name}");
        }
        assert_eq!(name_of("target/fg/hello.zip").unwrap(), "hello");
        assert!(name_of("x/1.zip").is_err());
        parse_link("https://b.obs.r.myhuaweicloud.com/a/b.zip").unwrap();
        for link in [
            "http://b/a.zip",
            "https://b",
            "https://b/",
            "b.zip",
            "https://b/a?x=1",
            "https://user:password@b/a",
        ] {
            assert!(parse_link(link).is_err(), "{link}");
        }
    }

    #[test]
    fn descriptions_contain_the_mark() {
        assert_eq!(
            description(None, Some("sha256:00")).unwrap(),
            "cargo fg deploy (sha256:00)"
        );
        assert_eq!(description(Some("x"), None).unwrap(), "x");
        let error = description(Some(&"x".repeat(501)), Some("sha256:00")).unwrap_err();
        assert!(error.to_string().contains("at most 500 "), "{error}");
    }
}
