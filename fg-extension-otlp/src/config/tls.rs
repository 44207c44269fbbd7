//! The settings of TLS: the certificates to trust, and the client's own certificate.

use fg_extension::{Error, Setting};

use super::settings::Settings;
use crate::signal::Signal;

/// The files for connections with TLS. They are read only if the endpoint uses TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsConfig {
    /// The path of a PEM file with the root certificates to trust instead of the bundled ones.
    pub(crate) certificate: Option<Setting>,
    /// `SSL_CERT_FILE`, which many programs read: the same, if `certificate` is not set.
    pub(crate) system_roots: Option<Setting>,
    /// The paths of PEM files with the client's certificate and its private key.
    pub(crate) client: Option<(Setting, Setting)>,
}

impl TlsConfig {
    /// Reads the settings of the signal.
    ///
    /// # Errors
    ///
    /// Returns an error if only one of the client's certificate and key is set.
    pub(super) fn read(settings: &Settings<'_>, signal: Signal) -> Result<Self, Error> {
        let path = |suffix| settings.for_signal(signal, suffix, |setting| Ok(setting.clone()));
        let client = match (path("CLIENT_CERTIFICATE"), path("CLIENT_KEY")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(certificate), None) => return Err(missing(&certificate, "CERTIFICATE", "KEY")),
            (None, Some(key)) => return Err(missing(&key, "KEY", "CERTIFICATE")),
        };
        Ok(Self {
            certificate: path("CERTIFICATE"),
            system_roots: settings.parse_or_warn("SSL_CERT_FILE", |setting| Ok(setting.clone())),
            client,
        })
    }
}

/// Returns the error about a setting that needs another one.
fn missing(setting: &Setting, suffix: &str, missing: &str) -> Error {
    let name = setting.name();
    let missing = match name.strip_suffix(suffix) {
        Some(prefix) => format!("{prefix}{missing}"),
        None => missing.to_owned(),
    };
    format!("{name} is set, but {missing} is not; set both to use a client certificate").into()
}
