//! Registers and serves on hyper and a `current_thread` runtime, and shuts down on SIGTERM, as somebody would write it
//! without a framework.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, client, server};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

#[cfg(feature = "dlmalloc")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

const PORT: u16 = 8081;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Binds the port, registers, subscribes to telemetry if a `subscription` is given, and serves until SIGTERM.
pub fn run(
    name: &str,
    subscription: Option<&'static str>,
    handle: fn(Bytes) -> Result<Bytes>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let listener = TcpListener::bind(("127.0.0.1", PORT)).await?;
        let register = Request::post("/extension/register")
            .header("functiongraph-extension-name", name)
            .header(
                "functiongraph-extension-address",
                format!("127.0.0.1:{PORT}"),
            );
        post(register, "").await?;
        if let Some(subscription) = subscription {
            let subscribe = Request::post("/telemetry").header("content-type", "application/json");
            post(subscribe, subscription).await?;
        }
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let service = service_fn(move |request| respond(request, handle));
                tokio::spawn(
                    server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        terminate.recv().await;
        Ok(())
    })
}

async fn respond(
    request: Request<Incoming>,
    handle: fn(Bytes) -> Result<Bytes>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let body = match request.into_body().collect().await {
        Ok(body) => handle(body.to_bytes()),
        Err(error) => Err(error.into()),
    };
    let (status, body) = match body {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string().into()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}

async fn post(request: hyper::http::request::Builder, body: &'static str) -> Result<()> {
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
    response.into_body().collect().await?;
    connection.abort();
    match status {
        StatusCode::OK => Ok(()),
        _ => Err(format!("the platform responded with {status}").into()),
    }
}
