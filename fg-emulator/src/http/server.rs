//! The HTTP server of an API: accepts connections, dispatches requests, and reports rejections.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::received_request::{ReceivedRequest, Reply};
use super::{MAX_BODY, extension_api, response, runtime_api};
use crate::Event;
use crate::inner::Inner;

/// The API that a listener serves.
#[derive(Clone, Copy)]
pub(crate) enum Api {
    /// The API at `EXTENSION_API_ADDR`.
    Extension,
    /// The API at `RUNTIME_API_ADDR`.
    Runtime,
}

/// Accepts and serves connections until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, api: Api, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve_connection(stream, api, Arc::clone(&inner)));
            }
            // The client has disconnected, or the process has no file descriptor left, which may be temporary.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(stream: TcpStream, api: Api, inner: Arc<Inner>) {
    // A client of the extension API may close its sending half after the request. A function that disconnects while it
    // waits for an event must not receive one.
    let half_close = matches!(api, Api::Extension);
    let service = service_fn(|request| {
        let inner = Arc::clone(&inner);
        Box::pin(async move { handle(request, api, &inner).await.ok_or(Reset) })
    });
    let mut connection = hyper::server::conn::http1::Builder::new()
        .half_close(half_close)
        .serve_connection(TokioIo::new(stream), service);
    let result = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    match result {
        Err(error) if error.is_user() => {
            let stream = connection.into_parts().io.into_inner();
            let _ = stream.set_zero_linger();
        }
        Err(error) if error.is_parse() => inner.report(&Event::Rejected {
            method: "?".to_owned(),
            path: "?".to_owned(),
            status: if error.is_parse_too_large() { 431 } else { 400 },
            error_type: "InvalidRequest",
            error_message: format!("cannot read the request: {error}"),
        }),
        // Other connection errors are not reported: the client sees them too.
        Ok(()) | Err(_) => {}
    }
}

/// The error of the service that makes the server reset the connection.
#[derive(Debug)]
struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("reset")
    }
}

impl std::error::Error for Reset {}

async fn handle(
    request: Request<Incoming>,
    api: Api,
    inner: &Inner,
) -> Option<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await;
    let request = ReceivedRequest {
        method: head.method,
        path: head.uri.path().to_owned(),
        headers: head.headers,
        // The body is read even if it is ignored, so that the connection can be reused.
        body: body
            .map(|body| body.to_bytes())
            .map_err(|error| format!("cannot read the body: {error}")),
    };
    let reply = match api {
        Api::Extension => extension_api::handle(&request, inner).await,
        Api::Runtime => runtime_api::handle(&request, inner).await,
    };
    let (status, rejection) = match reply {
        Reply::Respond(response) => return Some(response),
        Reply::Reset => return None,
        Reply::Reject(status, rejection) => (status, rejection),
    };
    let mut response = response::rejected(status, inner, &rejection);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = if request.method == Method::POST {
            "GET"
        } else {
            "POST"
        };
        response
            .headers_mut()
            .insert(header::ALLOW, header::HeaderValue::from_static(allowed));
    }
    inner.report(&Event::Rejected {
        method: request.method.to_string(),
        path: request.path,
        status: status.as_u16(),
        error_type: rejection.error_type,
        error_message: rejection.error_message,
    });
    Some(response)
}
