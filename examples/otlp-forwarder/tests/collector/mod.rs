//! A collector that can fail or be slow, and stores what it accepted.

use std::convert::Infallible;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long to wait before a test fails.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    // Stops the server when dropped.
    _server: JoinSet<()>,
}

#[derive(Clone, Default)]
pub(crate) struct Received {
    pub(crate) spans: Vec<Span>,
    pub(crate) logs: Vec<LogRecord>,
    /// The metrics of the latest request.
    pub(crate) metrics: Vec<Metric>,
    /// Everything so far, with resources and scopes.
    pub(crate) resource_spans: Vec<ResourceSpans>,
    pub(crate) resource_logs: Vec<ResourceLogs>,
    pub(crate) resource_metrics: Vec<ResourceMetrics>,
}

struct Shared {
    received: watch::Sender<Received>,
    /// How many more requests get a response with the status of a failure.
    failing: AtomicUsize,
    failure: Mutex<StatusCode>,
    rejected: AtomicUsize,
    /// The paths of the requests that have arrived.
    requests: watch::Sender<Vec<String>>,
    /// How long each response takes.
    delay: Mutex<Duration>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::start_failing(0).await
    }

    /// Starts a collector that responds with status 503 to the first `failing` requests.
    pub(crate) async fn start_failing(failing: usize) -> Self {
        Self::serve(bind(any_port()).await, failing, Duration::ZERO)
    }

    /// Starts a collector that delays each response.
    pub(crate) async fn start_slow(delay: Duration) -> Self {
        Self::serve(bind(any_port()).await, 0, delay)
    }

    /// Starts a collector at a reserved address.
    pub(crate) fn start_late(socket: TcpSocket) -> Self {
        let listener = socket.listen(16).expect("the port is reserved");
        Self::serve(listener, 0, Duration::ZERO)
    }

    /// Starts a collector at the address of one that was dropped.
    pub(crate) async fn start_again(address: SocketAddr) -> Self {
        Self::serve(bind(address).await, 0, Duration::ZERO)
    }

    fn serve(listener: TcpListener, failing: usize, delay: Duration) -> Self {
        let address = listener.local_addr().expect("a local address");
        let shared = Arc::new(Shared {
            received: watch::Sender::default(),
            failing: failing.into(),
            failure: Mutex::new(StatusCode::SERVICE_UNAVAILABLE),
            rejected: AtomicUsize::default(),
            requests: watch::Sender::default(),
            delay: Mutex::new(delay),
        });
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            _server: server,
        }
    }

    /// Waits until the received data satisfies the condition.
    pub(crate) async fn wait_for(
        &self,
        description: &str,
        condition: impl Fn(&Received) -> bool,
    ) -> Received {
        let mut received = self.shared.received.subscribe();
        let waited = tokio::time::timeout(TEST_TIMEOUT, received.wait_for(condition)).await;
        match waited {
            Ok(received) => received.expect("`self` owns the sender").clone(),
            Err(_) => panic!("timed out waiting for {description}"),
        }
    }

    /// Changes the status of failures, which is 503 at first.
    pub(crate) fn fail_with(&self, status: StatusCode) {
        *self.shared.failure.lock().expect("no panic") = status;
    }

    /// Responds to all further requests without a delay.
    pub(crate) fn end_delay(&self) {
        *self.shared.delay.lock().expect("no panic") = Duration::ZERO;
    }

    /// Waits until a request with this path has arrived, which may not have got a response yet.
    pub(crate) async fn wait_for_request(&self, path: &str) {
        let mut requests = self.shared.requests.subscribe();
        let has_path = |requests: &Vec<String>| requests.iter().any(|it| it == path);
        let waited = tokio::time::timeout(TEST_TIMEOUT, requests.wait_for(has_path)).await;
        assert!(waited.is_ok(), "timed out waiting for a request to {path}");
    }

    /// Returns how many requests got a response with the status of a failure.
    pub(crate) fn rejected(&self) -> usize {
        self.shared.rejected.load(Ordering::Relaxed)
    }
}

/// Reserves an address that refuses connections until the test listens on it.
pub(crate) fn reserve_address() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    // Allows another collector to be started there later.
    socket.set_reuseaddr(true).expect("SO_REUSEADDR");
    socket.bind(any_port()).expect("a free port");
    let address = socket.local_addr().expect("a local address");
    (socket, address)
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

async fn bind(address: SocketAddr) -> TcpListener {
    TcpListener::bind(address).await.expect("the port is free")
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(respond(request, &shared).await) }
            });
            let builder = hyper::server::conn::http1::Builder::new();
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn respond(request: Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    assert_eq!(request.headers()["content-encoding"], "gzip");
    let body = request
        .into_body()
        .collect()
        .await
        .expect("a complete body")
        .to_bytes();
    shared
        .requests
        .send_modify(|requests| requests.push(path.clone()));
    let delay = *shared.delay.lock().expect("no panic");
    tokio::time::sleep(delay).await;
    let fails = |failing: usize| failing.checked_sub(1);
    if shared
        .failing
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fails)
        .is_ok()
    {
        shared.rejected.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::new(Full::default());
        *response.status_mut() = *shared.failure.lock().expect("no panic");
        return response;
    }
    let mut bytes = Vec::new();
    GzDecoder::new(&*body)
        .read_to_end(&mut bytes)
        .expect("gzip");
    shared.received.send_modify(|received| match path.as_str() {
        "/v1/traces" => {
            let request = ExportTraceServiceRequest::decode(&*bytes).expect("spans");
            let all = request.resource_spans.iter().cloned();
            received.resource_spans.extend(all);
            for resource in request.resource_spans {
                received
                    .spans
                    .extend(resource.scope_spans.into_iter().flat_map(|it| it.spans));
            }
        }
        "/v1/logs" => {
            let request = ExportLogsServiceRequest::decode(&*bytes).expect("log records");
            let all = request.resource_logs.iter().cloned();
            received.resource_logs.extend(all);
            for resource in request.resource_logs {
                received.logs.extend(
                    resource
                        .scope_logs
                        .into_iter()
                        .flat_map(|it| it.log_records),
                );
            }
        }
        "/v1/metrics" => {
            let request = ExportMetricsServiceRequest::decode(&*bytes).expect("metrics");
            let all = request.resource_metrics.iter().cloned();
            received.resource_metrics.extend(all);
            let resources = request.resource_metrics.into_iter();
            let scopes = resources.flat_map(|it| it.scope_metrics);
            received.metrics = scopes.flat_map(|it| it.metrics).collect();
        }
        other => panic!("{other} is not an OTLP path"),
    });
    Response::new(Full::default())
}
