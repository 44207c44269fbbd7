//! The root certificates that are trusted.

use std::path::Path;

use anyhow::{Context, bail};
use ureq::tls::{PemItem, RootCerts, parse_pem};

/// The variable with the path of a PEM file, which many programs read. Some networks have a proxy with certificates of its own.
/// If it is not set, cargo sets it to the file with the roots of the machine, if it finds one.
const VARIABLE: &str = "SSL_CERT_FILE";

/// Returns the certificates in the file that `SSL_CERT_FILE` names, or else the roots of Mozilla, which are built in.
///
/// # Errors
///
/// Returns an error if the file cannot be read, or has no certificate.
pub(super) fn root_certificates() -> anyhow::Result<RootCerts> {
    match std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        Some(path) => read(Path::new(&path)),
        None => Ok(RootCerts::WebPki),
    }
}

fn read(path: &Path) -> anyhow::Result<RootCerts> {
    let shown = path.display();
    let text =
        std::fs::read(path).with_context(|| format!("cannot read {shown}, set in {VARIABLE}"))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&text) {
        let item =
            item.with_context(|| format!("{shown}, set in {VARIABLE}, is not a PEM file"))?;
        if let PemItem::Certificate(certificate) = item {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        bail!("{shown}, set in {VARIABLE}, has no certificate; it must be a PEM file");
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::read;

    #[test]
    fn a_file_without_certificates_is_rejected() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "no certificate").unwrap();
        let error = read(file.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("has no certificate; it must be a PEM file"),
            "{error}"
        );
        let error = read("/does/not/exist".as_ref()).unwrap_err().to_string();
        assert_eq!(error, "cannot read /does/not/exist, set in SSL_CERT_FILE");
    }
}
