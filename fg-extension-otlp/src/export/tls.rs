//! The TLS configuration of a signal: which servers are trusted, and the client's own certificate.

use std::sync::Arc;

use fg_extension::{Error, Setting};
use fg_util::error::chain;
use hyper_rustls::ConfigBuilderExt;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::TlsConfig;
use crate::diagnostic::Diagnostic;

/// Reads the certificates that the settings name, and returns the configuration of a client.
///
/// # Errors
///
/// Returns an error if a file cannot be read, or if a client certificate has no key that belongs to it.
pub(super) fn client_config(
    config: &TlsConfig,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let roots = match &config.certificate {
        Some(setting) => Some(read_roots(setting)?),
        None => read_system_roots(config, diagnostics),
    };
    let tls = match roots {
        Some(roots) => tls.with_root_certificates(roots),
        None => tls.with_webpki_roots(),
    };
    let Some((certificate, key)) = config.client()? else {
        return Ok(tls.with_no_client_auth());
    };
    let client = read_client_chain(certificate)?;
    tls.with_client_auth_cert(client, read_key(key)?)
        .map_err(|error| {
            let problem = format!(
                "does not contain the key of {} ({error})",
                certificate.name()
            );
            let hint = "write the path of the PEM file with the key of the certificate";
            invalid(key, &problem, hint)
        })
}

/// Reads the root certificates to trust.
fn read_roots(setting: &Setting) -> Result<RootCertStore, Error> {
    let hint = "write the path of a PEM file with the root certificates to trust";
    let mut roots = RootCertStore::empty();
    for root in read_certificates(setting, hint)? {
        roots
            .add(root)
            .map_err(|error| invalid_certificate(setting, &error, hint))?;
    }
    Ok(roots)
}

/// Reads the root certificates of the system that `SSL_CERT_FILE` names. Returns `None` if it is not set or has none.
///
/// The variable may be meant for other programs, so an invalid file is only a warning.
fn read_system_roots(
    config: &TlsConfig,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<RootCertStore> {
    let setting = config.system_roots.as_ref()?;
    let hint = "the bundled root certificates are used";
    let problem = match std::fs::read(setting.value()) {
        Ok(pem) => {
            let mut roots = RootCertStore::empty();
            // Some of the certificates of a system may be too old for rustls.
            let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
            if roots.add_parsable_certificates(certificates).0 > 0 {
                return Some(roots);
            }
            "contains no certificate".to_owned()
        }
        Err(error) => format!("cannot be opened ({error})"),
    };
    Diagnostic::Warning(setting.invalid(&problem, hint)).add_to(diagnostics);
    None
}

/// Reads the certificate of the client, followed by those of its issuers.
fn read_client_chain(setting: &Setting) -> Result<Vec<CertificateDer<'static>>, Error> {
    let hint = "write the path of a PEM file with the client certificate";
    read_certificates(setting, hint)
}

fn read_certificates(setting: &Setting, hint: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = read_file(setting, hint)?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .map(|certificate| certificate.map_err(|error| invalid_certificate(setting, &error, hint)))
        .collect::<Result<Vec<_>, Error>>()?;
    if certificates.is_empty() {
        return Err(invalid(setting, "contains no certificate", hint));
    }
    Ok(certificates)
}

fn invalid_certificate(
    setting: &Setting,
    error: &(dyn std::error::Error + 'static),
    hint: &str,
) -> Error {
    let problem = format!("contains an invalid certificate ({})", chain(error));
    invalid(setting, &problem, hint)
}

/// Reads a private key in one of the formats PKCS#8, PKCS#1, and SEC1.
fn read_key(setting: &Setting) -> Result<PrivateKeyDer<'static>, Error> {
    let hint = "write the path of a PEM file with a private key that is not encrypted";
    let pem = read_file(setting, hint)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        let problem = match error {
            rustls::pki_types::pem::Error::NoItemsFound => "contains no private key".to_owned(),
            error => format!("contains an invalid private key ({})", chain(&error)),
        };
        invalid(setting, &problem, hint)
    })
}

fn read_file(setting: &Setting, hint: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(setting.value())
        .map_err(|error| invalid(setting, &format!("cannot be opened ({error})"), hint))
}

/// Returns the error about a file. The name of the setting looks secret if it ends with `KEY`, but its value is a path.
fn invalid(setting: &Setting, problem: &str, hint: &str) -> Error {
    let path = setting.value();
    // A key that is written in place of a path.
    let shown = match path.contains("-----") {
        true => "the value".to_owned(),
        false => format!("`{path}`"),
    };
    setting
        .unreadable(&format!("{shown} {problem}; {hint}"))
        .into()
}
