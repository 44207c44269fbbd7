//! Connections to a collector: direct or through a proxy, with TLS if the scheme of its endpoint is `https`.

use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use fg_extension::Error;
use http_body_util::Full;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower_service::Service;

use super::resolver::Resolver;
use super::stream::Stream;
use super::tls;
use crate::config::SignalConfig;
use crate::diagnostic::Diagnostic;

/// The maximum size of the head of a response, and of the interim responses that are read at once.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Keeps connections for the next request. The owner decides how long they can be reused.
pub(super) type ConnectionPool = Client<Connector, Full<Bytes>>;

/// Opens connections to the endpoint of a signal.
#[derive(Clone)]
pub(super) enum Connector {
    Plain(Dialer),
    Tls(HttpsConnector<Dialer>),
}

/// Opens TCP connections to the endpoint, or to its proxy.
#[derive(Clone)]
pub(super) struct Dialer {
    route: Route,
    /// The address of this extension's own receiver, to which nothing is sent.
    own_receiver: Option<SocketAddr>,
}

#[derive(Clone)]
enum Route {
    Direct(HttpConnector<Resolver>),
    /// Through a proxy that forwards requests.
    Forward(HttpConnector<Resolver>, Uri),
    /// Through a proxy that forwards bytes.
    Tunnel(Tunnel<HttpConnector<Resolver>>),
}

type BoxError = Box<dyn StdError + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl Connector {
    /// Creates a connector for the endpoint of a signal. Sets up TLS only if the scheme is `https`.
    ///
    /// # Errors
    ///
    /// Returns an error if the certificates cannot be read.
    pub(super) fn new(
        config: &SignalConfig,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Self, Error> {
        let tcp = tcp();
        let is_tls = config.endpoint.scheme() == Some(&Scheme::HTTPS);
        let route = match &config.proxy {
            None => Route::Direct(tcp),
            Some(proxy) if is_tls => {
                let mut tunnel = Tunnel::new(proxy.uri.clone(), tcp);
                if let Some(authorization) = &proxy.authorization {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                Route::Tunnel(tunnel)
            }
            Some(proxy) => Route::Forward(tcp, proxy.uri.clone()),
        };
        let dialer = Dialer {
            route,
            own_receiver: config.own_receiver,
        };
        if !is_tls {
            return Ok(Self::Plain(dialer));
        }
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config(&config.tls, diagnostics)?)
            .https_only()
            .enable_http1()
            .wrap_connector(dialer);
        Ok(Self::Tls(connector))
    }

    /// Creates a connector for a server in the same instance, without TLS and proxy.
    pub(super) fn plain() -> Self {
        Self::Plain(Dialer {
            route: Route::Direct(tcp()),
            own_receiver: None,
        })
    }

    /// Creates an empty pool.
    pub(super) fn pool(&self) -> ConnectionPool {
        Builder::new(TokioExecutor::new())
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .build(self.clone())
    }
}

fn tcp() -> HttpConnector<Resolver> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver);
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    tcp
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxFuture<Stream>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Plain(dialer) => dialer.poll_ready(cx),
            Self::Tls(connector) => connector.poll_ready(cx),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Self::Plain(dialer) => {
                let is_forwarded = matches!(dialer.route, Route::Forward(..));
                let connecting = dialer.call(uri);
                Box::pin(async move { Ok(Stream::new(connecting.await?, is_forwarded)) })
            }
            Self::Tls(connector) => {
                let connecting = connector.call(uri);
                Box::pin(async move { Ok(Stream::new(connecting.await?, false)) })
            }
        }
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = BoxFuture<TokioIo<TcpStream>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match &mut self.route {
            Route::Direct(tcp) | Route::Forward(tcp, _) => tcp.poll_ready(cx).map_err(Into::into),
            Route::Tunnel(tunnel) => tunnel.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let own_receiver = self.own_receiver;
        match &mut self.route {
            Route::Direct(tcp) => {
                let connecting = tcp.call(uri);
                Box::pin(async move {
                    let stream = connecting.await?;
                    // Only the connection shows what a host name resolved to.
                    let peer = stream.inner().peer_addr().ok();
                    match own_receiver.filter(|address| peer == Some(*address)) {
                        Some(address) => Err(OwnReceiver(address).into()),
                        None => Ok(stream),
                    }
                })
            }
            Route::Forward(tcp, proxy) => {
                let connecting = tcp.call(proxy.clone());
                Box::pin(async move { Ok(connecting.await?) })
            }
            Route::Tunnel(tunnel) => {
                let connecting = tunnel.call(uri);
                Box::pin(async move { Ok(connecting.await?) })
            }
        }
    }
}

/// The endpoint is this extension's own receiver, so exported data would come back forever.
#[derive(Debug)]
pub(super) struct OwnReceiver(SocketAddr);

impl fmt::Display for OwnReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is this extension's own receiver", self.0)
    }
}

impl StdError for OwnReceiver {}
