//! The listener of an API: reads requests, hands them to the API, writes responses.

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

/// Which API a listener is for.
#[derive(Clone, Copy)]
pub(crate) enum Api {
    /// `EXTENSION_API_ADDR`.
    Extension,
    /// `RUNTIME_API_ADDR`.
    Runtime,
}

/// Accepts connections and serves them until it is dropped.
pub(crate) async fn serve(listener: TcpListener, api: Api, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve_connection(stream, api, Arc::clone(&inner)));
            }
            // Its client has gone, or there is no descriptor left, which may pass.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(stream: TcpStream, api: Api, inner: Arc<Inner>) {
    // The extension API is open to clients that close their half once they have asked. A function that hangs up
    // while it waits for an event must not get one.
    let half_close = matches!(api, Api::Extension);
    let service = service_fn(|request| {
        let inner = Arc::clone(&inner);
        Box::pin(async move { handle(request, api, &inner).await.ok_or(Reset) })
    });
    let mut connection = hyper::server::conn::http1::Builder::new()
        .half_close(half_close)
        .serve_connection(TokioIo::new(stream), service);
    let end = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    match end {
        Err(error) if error.is_user() => {
            let stream = connection.into_parts().io.into_inner();
            let _ = stream.set_zero_linger();
        }
        Err(error) if error.is_parse() => inner.report(&Event::Rejected {
            method: "?".to_owned(),
            path: "?".to_owned(),
            status: if error.is_parse_too_large() { 431 } else { 400 },
            error_message: format!("the request cannot be read: {error}"),
        }),
        // A connection that breaks off is its client's business, and the client sees it too.
        Ok(()) | Err(_) => {}
    }
}

/// Why the service fails: the connection is to be reset.
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
        // Read also where it is ignored, so that the connection can go on.
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
        error_message: rejection.error_message,
    });
    Some(response)
}
