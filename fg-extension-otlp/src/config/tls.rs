//! The settings of TLS: the certificates to trust, and the client's own certificate.

use fg_extension::{Error, Setting};

use super::settings::Settings;
use crate::signal::Signal;

/// The paths of files for connections with TLS. They are read only if the endpoint uses TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsConfig {
    /// A PEM file with the root certificates to trust instead of the bundled ones.
    pub(crate) certificate: Option<Setting>,
    /// `SSL_CERT_FILE`, which many programs read: the same, if `certificate` is not set.
    pub(crate) system_roots: Option<Setting>,
    client_certificate: Option<Setting>,
    client_key: Option<Setting>,
}

impl TlsConfig {
    /// Reads the settings of the signal.
    pub(super) fn read(settings: &Settings<'_>, signal: Signal) -> Self {
        let path = |setting: &Setting| Ok(setting.clone());
        Self {
            certificate: settings.for_signal(signal, "CERTIFICATE", path),
            system_roots: settings.parse_or_warn("SSL_CERT_FILE", path),
            client_certificate: settings.for_signal(signal, "CLIENT_CERTIFICATE", path),
            client_key: settings.for_signal(signal, "CLIENT_KEY", path),
        }
    }

    /// Returns the PEM files with the client's certificate and its private key, or `None` if they are not set.
    ///
    /// # Errors
    ///
    /// Returns an error if only one of them is set.
    pub(crate) fn client(&self) -> Result<Option<(&Setting, &Setting)>, Error> {
        match (&self.client_certificate, &self.client_key) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            (Some(certificate), None) => Err(incomplete(certificate, "CERTIFICATE", "KEY")),
            (None, Some(key)) => Err(incomplete(key, "KEY", "CERTIFICATE")),
        }
    }
}

/// Returns the error about a setting that needs another one.
fn incomplete(setting: &Setting, suffix: &str, missing: &str) -> Error {
    let name = setting.name();
    let prefix = name.strip_suffix(suffix).unwrap_or(name);
    format!("{name} is set, but {prefix}{missing} is not; set both to use a client certificate")
        .into()
}
