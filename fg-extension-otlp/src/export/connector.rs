//! Connections to a collector, with TLS if the scheme of its endpoint is `https`.

use std::sync::Arc;

use fg_extension::{Error, Setting};
use fg_util::error::chain;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::http::uri::Scheme;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::resolver::Resolver;
use crate::config::SignalConfig;

/// The maximum size of the head of a response, and of the interim responses that are read at once.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Opens connections to the endpoint of a signal.
#[derive(Clone)]
pub(super) enum Connector {
    Plain(HttpConnector<Resolver>),
    Tls(HttpsConnector<HttpConnector<Resolver>>),
}

/// Keeps connections for the next request. The owner decides how long they can be reused.
pub(super) enum ConnectionPool {
    Plain(Client<HttpConnector<Resolver>, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>),
}

impl Connector {
    /// Creates a connector for the endpoint of a signal. Sets up TLS only if the scheme is `https`.
    ///
    /// # Errors
    ///
    /// Returns an error if the trusted certificates cannot be read.
    pub(super) fn new(config: &SignalConfig) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new_with_resolver(Resolver);
        tcp.set_nodelay(true);
        if config.endpoint.scheme() != Some(&Scheme::HTTPS) {
            return Ok(Self::Plain(tcp));
        }
        tcp.enforce_http(false);

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = match &config.certificate {
            Some(certificate) => tls.with_root_certificates(read_roots(certificate)?),
            None => tls.with_webpki_roots(),
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.with_no_client_auth())
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self::Tls(connector))
    }

    /// Creates an empty pool.
    pub(super) fn pool(&self) -> ConnectionPool {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1_max_buf_size(MAX_HEAD_BYTES);
        match self {
            Self::Plain(connector) => ConnectionPool::Plain(builder.build(connector.clone())),
            Self::Tls(connector) => ConnectionPool::Tls(builder.build(connector.clone())),
        }
    }
}

impl ConnectionPool {
    pub(super) fn request(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        match self {
            Self::Plain(client) => client.request(request),
            Self::Tls(client) => client.request(request),
        }
    }
}

/// Reads the root certificates to trust from a PEM file.
fn read_roots(certificate: &Setting) -> Result<RootCertStore, Error> {
    let invalid = |problem: &str| -> Error {
        let hint = "write the path of a PEM file with the root certificates to trust";
        certificate.invalid(problem, hint).into()
    };
    let pem = std::fs::read(certificate.value())
        .map_err(|error| invalid(&format!("cannot be opened ({error})")))?;
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(&pem) {
        root.map_err(|error| chain(&error))
            .and_then(|root| roots.add(root).map_err(|error| chain(&error)))
            .map_err(|why| invalid(&format!("contains an invalid certificate ({why})")))?;
    }
    if roots.is_empty() {
        return Err(invalid("contains no certificate"));
    }
    Ok(roots)
}
