//! A scripted collector that passes each request to the test.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use flate2::read::GzDecoder;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A collector. Dropping it closes its listener and all connections.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<VecDeque<ScriptedResponse>>>,
    received: mpsc::UnboundedReceiver<Received>,
    close: watch::Sender<()>,
    tasks: JoinSet<()>,
}

/// How a collector accepts connections and requests.
#[derive(Clone, Default)]
struct Options {
    tls: Option<TlsAcceptor>,
    /// The maximum size of a body. Larger ones are rejected with status 413.
    max_body: Option<usize>,
}

/// What the collector does with a request. After the end of the script, it responds with an empty 200.
pub(crate) enum ScriptedResponse {
    Respond(Response<Full<Bytes>>),
    /// Responds once the test sends the signal.
    RespondWhen(oneshot::Receiver<()>, Response<Full<Bytes>>),
    /// Responds with a 200 whose body never arrives.
    StallBody,
    /// Closes the connection when the request has been read.
    Disconnect,
    /// Never responds.
    Never,
}

pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) connection: usize,
    /// Whether the body was not too large.
    pub(crate) is_accepted: bool,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::serve(bind().await, Options::default())
    }

    /// Starts a collector that rejects larger bodies with status 413.
    pub(crate) async fn start_with_limit(max_body: usize) -> Self {
        let options = Options {
            max_body: Some(max_body),
            ..Options::default()
        };
        Self::serve(bind().await, options)
    }

    /// Starts a collector at the address of one that was killed.
    pub(crate) async fn start_again(address: SocketAddr) -> Self {
        Self::serve(
            TcpListener::bind(address).await.unwrap(),
            Options::default(),
        )
    }

    /// Starts a collector at a reserved address.
    pub(crate) fn start_late(socket: TcpSocket) -> Self {
        Self::serve(socket.listen(16).unwrap(), Options::default())
    }

    pub(crate) async fn start_tls(acceptor: TlsAcceptor) -> Self {
        let options = Options {
            tls: Some(acceptor),
            ..Options::default()
        };
        Self::serve(bind().await, options)
    }

    fn serve(listener: TcpListener, options: Options) -> Self {
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(VecDeque::new()));
        let (received, receiver) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let close = watch::Sender::new(());
        let (responses, closed) = (Arc::clone(&script), close.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, received) = (Arc::clone(&responses), received.clone());
                let (options, closed) = (options.clone(), closed.subscribe());
                connections.spawn(async move {
                    let session = Session {
                        connection,
                        closed,
                        script,
                        received,
                        max_body: options.max_body,
                    };
                    match options.tls {
                        None => session.serve(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                session.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            script,
            received: receiver,
            close,
            tasks,
        }
    }

    /// Appends a response to the script. The script does not distinguish between paths.
    pub(crate) fn will_respond(&self, response: ScriptedResponse) {
        self.script.lock().unwrap().push_back(response);
    }

    /// Closes all connections abruptly.
    pub(crate) async fn close_connections(&self) {
        self.close.send_replace(());
        // Each session drops its receiver when its connection is closed.
        self.close.closed().await;
    }

    /// Closes everything and releases the address.
    pub(crate) async fn kill(mut self) {
        self.tasks.shutdown().await;
        self.close.closed().await;
    }

    /// Waits for the next request.
    pub(crate) async fn received(&mut self) -> Received {
        self.received.recv().await.unwrap()
    }

    /// Returns whether another request has arrived.
    pub(crate) fn has_received(&mut self) -> bool {
        self.received.try_recv().is_ok()
    }
}

impl ScriptedResponse {
    pub(crate) fn status(status: u16) -> Self {
        Self::with(status, &[], b"")
    }

    pub(crate) fn with(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Self::Respond(
            response
                .body(Full::new(Bytes::copy_from_slice(body)))
                .unwrap(),
        )
    }

    /// Delays this response until the test sends the signal.
    pub(crate) fn gated(self) -> (oneshot::Sender<()>, Self) {
        let Self::Respond(response) = self else {
            panic!("only a response can be delayed");
        };
        let (open, gate) = oneshot::channel();
        (open, Self::RespondWhen(gate, response))
    }

    pub(crate) fn protobuf(status: u16, message: &impl Message) -> Self {
        let headers = [("content-type", "application/x-protobuf")];
        Self::with(status, &headers, &message.encode_to_vec())
    }
}

impl Received {
    /// Returns the names of all spans, the severities of all log records, or the names of all metrics.
    pub(crate) fn names(&self) -> Vec<String> {
        let body = self.body.as_slice();
        match self.path.rsplit('/').next().unwrap() {
            "traces" => {
                let request = ExportTraceServiceRequest::decode(body).unwrap();
                let resources = request.resource_spans.into_iter();
                let scopes = resources.flat_map(|resource| resource.scope_spans);
                let spans = scopes.flat_map(|scope| scope.spans);
                spans.map(|span| span.name).collect()
            }
            "logs" => {
                let request = ExportLogsServiceRequest::decode(body).unwrap();
                let resources = request.resource_logs.into_iter();
                let scopes = resources.flat_map(|resource| resource.scope_logs);
                let records = scopes.flat_map(|scope| scope.log_records);
                records.map(|record| record.severity_text).collect()
            }
            _ => {
                let request = ExportMetricsServiceRequest::decode(body).unwrap();
                let resources = request.resource_metrics.into_iter();
                let scopes = resources.flat_map(|resource| resource.scope_metrics);
                let metrics = scopes.flat_map(|scope| scope.metrics);
                metrics.map(|metric| metric.name).collect()
            }
        }
    }
}

/// One connection.
struct Session {
    connection: usize,
    closed: watch::Receiver<()>,
    script: Arc<Mutex<VecDeque<ScriptedResponse>>>,
    received: mpsc::UnboundedSender<Received>,
    max_body: Option<usize>,
}

impl Session {
    async fn serve(self, stream: impl Stream) {
        let mut closed = self.closed.clone();
        let close = Notify::new();
        let service = service_fn(|request| self.respond(request, &close));
        let serve = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        // An error means that the client closed the connection.
        tokio::select! {
            _ = serve => {}
            () = close.notified() => {}
            _ = closed.changed() => {}
        }
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        close: &Notify,
    ) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            std::future::pending().await
        };
        let mut body = body.to_bytes().to_vec();
        let is_accepted = self.max_body.is_none_or(|max| body.len() <= max);
        if head
            .headers
            .get("content-encoding")
            .is_some_and(|encoding| encoding == "gzip")
        {
            let mut plain = Vec::new();
            GzDecoder::new(body.as_slice())
                .read_to_end(&mut plain)
                .unwrap();
            body = plain;
        }
        let response = self.script.lock().unwrap().pop_front();
        // The test may have finished already.
        let _ = self.received.send(Received {
            path: head.uri.path().to_owned(),
            headers: head.headers,
            body,
            connection: self.connection,
            is_accepted,
        });
        if !is_accepted {
            let response = Full::from("<html>too large</html>");
            let mut response = Response::new(response.boxed());
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            return Ok(response);
        }
        let empty = Response::new(Full::default());
        match response {
            None => Ok(empty.map(BodyExt::boxed)),
            Some(ScriptedResponse::Respond(response)) => Ok(response.map(BodyExt::boxed)),
            Some(ScriptedResponse::RespondWhen(now, response)) => {
                now.await.unwrap();
                Ok(response.map(BodyExt::boxed))
            }
            Some(ScriptedResponse::StallBody) => Ok(Response::new(Stalled.boxed())),
            Some(ScriptedResponse::Disconnect) => {
                close.notify_one();
                std::future::pending().await
            }
            Some(ScriptedResponse::Never) => std::future::pending().await,
        }
    }
}

struct Stalled;

impl Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// A TCP connection, with or without TLS.
pub(crate) trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl Stream for TcpStream {}
impl Stream for tokio_rustls::server::TlsStream<TcpStream> {}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
