//! What to do about a failed request, as far as the response or the error suggests it.

use std::error::Error;
use std::io;

use hyper::http::response::Parts;
use hyper::{StatusCode, Uri, header};
use rustls::{AlertDescription, CertificateError};

use crate::shown_url::shown_url;

/// The default paths, in a message that is the same for all signals.
pub(super) const PATHS: &str = "the usual paths are /v1/traces, /v1/metrics and /v1/logs";

/// Returns what to do about a status that means a permanent rejection.
pub(super) fn for_status(head: &Parts) -> Option<String> {
    if head.status.is_redirection() {
        let target = head.headers.get(header::LOCATION)?;
        let target = shown_url(&String::from_utf8_lossy(target.as_bytes()));
        // Following it would send the credentials in the headers elsewhere.
        return Some(format!(
            "it redirects to {target}, and redirects are not followed; write the final URL"
        ));
    }
    let hint = match head.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "check OTEL_EXPORTER_OTLP_HEADERS".to_owned()
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            format!("check the path of the URL; {PATHS}")
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => PROXY_CREDENTIALS.to_owned(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "the endpoint must accept `application/x-protobuf`".to_owned()
        }
        _ => return None,
    };
    Some(hint)
}

/// Returns what to do about a request without a response.
pub(super) fn for_error(error: &(dyn Error + 'static), endpoint: &Uri) -> Option<&'static str> {
    if endpoint.port_u16() == Some(GRPC_PORT) {
        return Some(
            "port 4317 is usually for gRPC, which is not supported; write the port for OTLP over HTTP, usually 4318",
        );
    }
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(hint) = error.downcast_ref().and_then(for_tls_error) {
            return Some(hint);
        }
        // The type of these errors is private.
        match error.to_string().as_str() {
            "tunnel error: proxy authorization required" => return Some(PROXY_CREDENTIALS),
            "tunnel error: unsuccessful" => {
                return Some(
                    "the proxy refuses to connect to this host; allow it in the proxy, or add the host to NO_PROXY",
                );
            }
            _ => {}
        }
        if error.downcast_ref().is_some_and(hyper::Error::is_parse) {
            return Some(
                "the port does not speak HTTP/1.1; write `https://` if it uses TLS, \
                 or the port for OTLP over HTTP, usually 4318, if it is for gRPC",
            );
        }
        next = cause(error);
    }
    None
}

/// Returns the cause of an error. The source of an `io::Error` is not the error that it contains, but the source of that.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

const GRPC_PORT: u16 = 4317;

/// What to do if a proxy rejects a request, with or without a tunnel, because of its credentials.
const PROXY_CREDENTIALS: &str = "write the user name and the password into the URL of the proxy";

fn for_tls_error(error: &rustls::Error) -> Option<&'static str> {
    Some(match error {
        rustls::Error::InvalidMessage(_) => {
            "the port does not seem to use TLS; write `http://` if that is intended"
        }
        // The latter comes from a root certificate with the right name and another key.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            "set OTEL_EXPORTER_OTLP_CERTIFICATE to a PEM file with the root certificate of the collector"
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY"
        }
        // A collector checks no other certificate. Again, the latter comes from a root certificate with another key.
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA | AlertDescription::DecryptError,
        ) => {
            "the collector does not trust the client certificate; \
             write the certificates of its issuers after it in the file of OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
        }
        _ => return None,
    })
}

/// What to do if a port never responds to a request without TLS, but accepts connections and closes them. A server for
/// gRPC does so, too.
pub(super) const MAY_USE_TLS: &str = "write `https://` if the port uses TLS, or the port for OTLP over HTTP, usually 4318, if it is for gRPC";
