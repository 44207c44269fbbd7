//! Registers and serves on hyper and a `current_thread` runtime, and shuts down on SIGTERM, as somebody would write it
//! without a framework.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, client, server};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

#[cfg(feature = "dlmalloc")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

const PORT: u16 = 8081;

/// The largest body that is read.
const LIMIT: usize = 6 << 20;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What the platform responds to the registration.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Registration {
    pub function_name: Option<String>,
    pub function_version: Option<String>,
    pub handler: Option<String>,
}

/// The jobs differ in these points.
pub struct Job {
    /// The script name.
    pub name: &'static str,
    /// The path that is served.
    pub path: &'static str,
    /// The body of the subscription to telemetry.
    pub subscription: Option<&'static str>,
    /// Handles the body of a request, and returns that of the response.
    pub handle: fn(&Registration, Bytes) -> Result<Bytes>,
}

/// Binds the port, registers, subscribes to telemetry, and serves until SIGTERM or SIGINT.
pub fn run(job: &'static Job) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let listener = TcpListener::bind(("127.0.0.1", PORT)).await?;
        let request = Request::post("/extension/register")
            .header("functiongraph-extension-name", job.name)
            .header(
                "functiongraph-extension-address",
                format!("127.0.0.1:{PORT}"),
            );
        let registration = post(request, "").await?;
        let registration = Arc::new(serde_json::from_slice(&registration)?);
        if let Some(subscription) = job.subscription {
            let request = Request::post("/telemetry").header(CONTENT_TYPE, "application/json");
            post(request, subscription).await?;
        }
        tokio::spawn(accept(listener, job, registration));
        tokio::spawn(async move {
            interrupt.recv().await;
            std::process::exit(0);
        });
        terminate.recv().await;
        Ok(())
    })
}

async fn accept(listener: TcpListener, job: &'static Job, registration: Arc<Registration>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let registration = Arc::clone(&registration);
        tokio::spawn(async move {
            let service = service_fn(|request| async {
                Ok::<_, Infallible>(respond(job, &registration, request).await)
            });
            let _ = server::conn::http1::Builder::new()
                .half_close(true)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn respond(
    job: &Job,
    registration: &Registration,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (status, body) = if request.method() != Method::POST || request.uri().path() != job.path {
        (StatusCode::NOT_FOUND, Bytes::new())
    } else {
        match Limited::new(request.into_body(), LIMIT).collect().await {
            Ok(body) => match (job.handle)(registration, body.to_bytes()) {
                Ok(body) => (StatusCode::OK, body),
                Err(error) => (StatusCode::BAD_REQUEST, error.to_string().into()),
            },
            Err(error) => (StatusCode::PAYLOAD_TOO_LARGE, error.to_string().into()),
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

async fn post(request: hyper::http::request::Builder, body: &'static str) -> Result<Bytes> {
    let platform = env::var("EXTENSION_API_ADDR")?;
    // An address of another type would be looked up on another thread.
    let stream = TcpStream::connect(platform.parse::<SocketAddr>()?).await?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = request
        .header("host", platform)
        .body(Full::new(Bytes::from_static(body.as_bytes())))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    connection.abort();
    match status {
        StatusCode::OK => Ok(body),
        _ => Err(format!("the platform responded with {status}").into()),
    }
}
