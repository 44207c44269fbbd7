//! The HTTP client of the sources `http` and `csms`.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use fg_extension::{Error, Setting};
use fg_util::error::chain;
use fg_util::select::run_alongside;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tower_service::Service;
use zeroize::Zeroizing;

use super::SourceError;

/// The maximum size of a response body. A larger one is an error.
const MAX_BODY_BYTES: usize = 1 << 20;

/// The maximum size of the head of a response.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// The setting with the root certificates that are trusted instead of the bundled ones.
const ROOTS_SETTING: &str = "SSL_CERT_FILE";

const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("fg-secrets-cache/", env!("CARGO_PKG_VERSION")));

/// Sends requests over HTTP and HTTPS.
///
/// Each request uses a new connection, since an idle one may not survive a freeze. Redirects are not followed, because the
/// headers contain credentials.
pub(crate) struct Client {
    connector: HttpsConnector<HttpConnector>,
}

/// A response, of which `Debug` shows only the status.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl Client {
    /// Creates a client. It trusts the root certificates in the file that `SSL_CERT_FILE` names, or else the bundled ones.
    ///
    /// # Errors
    ///
    /// Returns an error if the certificates cannot be read.
    pub(crate) fn new(
        lookup: &impl Fn(&str) -> Result<Option<Setting>, Error>,
    ) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = match lookup(ROOTS_SETTING)? {
            Some(setting) => config.with_root_certificates(read_roots(&setting)?),
            None => config.with_webpki_roots(),
        };
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self { connector })
    }

    /// Sends a request with a body to an absolute URL, and reads the response, whatever its status is. The header `Host` is
    /// set from the URL.
    ///
    /// The cache limits how long this may take.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no complete response. The message contains the host, and no other part of the request
    /// or the response.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response, SourceError> {
        let host = host(request.uri()).to_owned();
        let failed = |what: &str, error: &(dyn std::error::Error + 'static)| {
            SourceError::failed(format!("{what} {host}: {}", chain(error)))
        };
        let stream = self
            .connector
            .clone()
            .call(request.uri().clone())
            .await
            .map_err(|error| failed("cannot connect to", &*error))?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake(stream)
            .await
            .map_err(|error| failed("cannot connect to", &error))?;
        let request = with_path_and_host(request)?;
        let respond = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| failed("no response from", &error))?;
            let (head, body) = response.into_parts();
            let body = read(body).await.map_err(|error| match error {
                Some(error) => failed("incomplete response from", &error),
                None => SourceError::failed(format!(
                    "the response from {host} is larger than {MAX_BODY_BYTES} bytes"
                )),
            })?;
            Ok(Response {
                status: head.status,
                headers: head.headers,
                body,
            })
        };
        // The connection belongs to this request: both are dropped together.
        run_alongside(connection, respond).await
    }
}

/// Returns the request as it is sent: with the path as its target, and the host in a header.
fn with_path_and_host(request: Request<Vec<u8>>) -> Result<Request<Full<Bytes>>, SourceError> {
    let (mut head, body) = request.into_parts();
    let invalid = |_| SourceError::failed("the URL has no valid host and path");
    let host = HeaderValue::from_str(host(&head.uri))
        .map_err(|_| SourceError::failed("the URL has no valid host"))?;
    let target = head.uri.path_and_query().map_or("/", |it| it.as_str());
    head.uri = target.parse::<Uri>().map_err(invalid)?;
    head.headers.insert(header::HOST, host);
    head.headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
    Ok(Request::from_parts(head, Full::new(body.into())))
}

/// Returns the host and the port, if the URL has one, without a user name.
fn host(uri: &Uri) -> &str {
    let authority = uri.authority().map_or("", |it| it.as_str());
    authority.rsplit('@').next().unwrap_or_default()
}

/// Returns whether the host of a URL is this machine, so that a request to it needs no TLS.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse();
    host == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Reads a body into memory that is overwritten when it is dropped. Returns `None` as the error if the body is too large.
///
/// hyper and rustls read it into buffers of their own, which are not overwritten.
async fn read(mut body: Incoming) -> Result<Zeroizing<Vec<u8>>, Option<hyper::Error>> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if expected > MAX_BODY_BYTES {
        return Err(None);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected));
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(Some)?.into_data() {
            if bytes.len() + data.len() > MAX_BODY_BYTES {
                return Err(None);
            }
            append(&mut bytes, &data);
        }
    }
    Ok(bytes)
}

/// Appends data. If the buffer has to grow, overwrites the old one, which `Vec` would not do.
fn append(bytes: &mut Zeroizing<Vec<u8>>, data: &[u8]) {
    let length = bytes.len() + data.len();
    if length > bytes.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(length.max(2 * bytes.capacity())));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(data);
}

fn read_roots(setting: &Setting) -> Result<RootCertStore, Error> {
    let hint = "write the path of a PEM file with the root certificates to trust";
    let pem = std::fs::read(setting.value())
        .map_err(|error| setting.invalid(&format!("cannot be opened ({error})"), hint))?;
    let mut roots = RootCertStore::empty();
    // Some of the certificates of a system may be too old for rustls.
    let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
    match roots.add_parsable_certificates(certificates).0 {
        0 => Err(setting.invalid("contains no certificate", hint).into()),
        _ => Ok(roots),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_has_no_user_name() {
        for (url, expected) in [
            (
                "https://me:secret@vault.example:8200/a?b=c",
                "vault.example:8200",
            ),
            ("http://[::1]/a", "[::1]"),
            ("/a", ""),
        ] {
            assert_eq!(host(&url.parse().unwrap()), expected);
        }
    }

    #[test]
    fn buffer_grows_in_large_steps() {
        let mut bytes = Zeroizing::new(Vec::new());
        for part in [&b"ab"[..], b"", b"c", b"defghij"] {
            append(&mut bytes, part);
        }
        assert_eq!(**bytes, *b"abcdefghij");
    }
}
