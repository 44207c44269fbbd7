//! The API for extensions, on a socket.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::platform::{Event, Shared};
use crate::state::Refusal;

/// The answer to a registration (D 2707), and to any other call (?). The page's prose promises a handler that
/// its example lacks.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    function_name: &'a str,
    function_version: &'a str,
    error_info: ErrorInfo<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorInfo<'a> {
    error_type: &'a str,
    error_message: &'a str,
}

/// Serves the API until it is dropped.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(request, &shared).await) }
    });
    // A connection that breaks off is its client's business, and the client is told by its own side.
    let _ = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let name = header("FunctionGraph-Extension-Name");
    let address = header("FunctionGraph-Extension-Address");
    let body = Limited::new(request.into_body(), 6 * 1024 * 1024)
        .collect()
        .await;

    let (status, result) = match path.as_str() {
        "/extension/register" | "/telemetry" if method != Method::POST => {
            let message = format!("{path} takes POST, not {method}");
            let refusal = Refusal::new("MethodNotAllowed", message);
            (StatusCode::METHOD_NOT_ALLOWED, Err(refusal))
        }
        // The body was read, so that the connection can go on, and is ignored (D 2707).
        "/extension/register" => (
            StatusCode::BAD_REQUEST,
            shared.register(name.as_deref(), address.as_deref()),
        ),
        "/telemetry" => {
            let result = match body {
                Ok(body) => shared.subscribe(&body.to_bytes()),
                Err(error) => {
                    let message = format!("cannot read the body: {error}");
                    Err(Refusal::new("InvalidSubscription", message))
                }
            };
            (StatusCode::BAD_REQUEST, result)
        }
        _ => {
            let message = format!("this emulator has no {method} {path}");
            let refusal = Refusal::new("UnknownCall", message);
            (StatusCode::NOT_FOUND, Err(refusal))
        }
    };
    let Err(refusal) = result else {
        return json(StatusCode::OK, shared, ErrorInfo::default());
    };
    let Refusal {
        error_type,
        error_message,
    } = refusal;
    let mut response = json(
        status,
        shared,
        ErrorInfo {
            error_type,
            error_message: &error_message,
        },
    );
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response
            .headers_mut()
            .insert(header::ALLOW, header::HeaderValue::from_static("POST"));
    }
    shared.observe(&Event::Refused {
        method: method.to_string(),
        path,
        status: status.as_u16(),
        error_message,
    });
    response
}

fn json(status: StatusCode, shared: &Shared, error_info: ErrorInfo<'_>) -> Response<Full<Bytes>> {
    let body = Answer {
        function_name: &shared.function_name,
        function_version: &shared.function_version,
        error_info,
    };
    // Strings only: it cannot fail.
    let mut response = Response::new(Full::from(serde_json::to_vec(&body).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}
