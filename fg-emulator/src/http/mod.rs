//! The platform's APIs, on sockets: the extensions' and the function's.

mod extension;
mod runtime;

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Event;
use crate::platform::MAX_BODY;
use crate::shared::Shared;
use crate::state::Refusal;

/// Which API a listener is for.
#[derive(Clone, Copy)]
pub(crate) enum Api {
    /// `EXTENSION_API_ADDR`.
    Extension,
    /// `RUNTIME_API_ADDR`.
    Runtime,
}

/// What becomes of a request.
enum Outcome {
    Answer(Response<Full<Bytes>>),
    /// With the status that says what kind of mistake it is.
    Refuse(StatusCode, Refusal),
    /// No answer: the connection is reset.
    Reset,
}

/// A request, read to its end. A body that broke off or is too large is an error's text.
struct Read {
    method: Method,
    path: String,
    headers: header::HeaderMap,
    body: Result<Bytes, String>,
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, api: Api, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, api, Arc::clone(&shared)));
            }
            // Its client has gone, or there is no descriptor left, which may pass.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, api: Api, shared: Arc<Shared>) {
    // The extension API is open to clients that close their half once they have asked. A function that hangs up
    // while it waits for an event must not get one.
    let half_close = matches!(api, Api::Extension);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { answer(request, api, &shared).await.ok_or(Reset) })
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
        Err(error) if error.is_parse() => shared.observe(&Event::Rejected {
            method: "?".to_owned(),
            path: "?".to_owned(),
            status: if error.is_parse_too_large() { 431 } else { 400 },
            error_message: format!("the request cannot be read: {error}"),
        }),
        // A connection that breaks off is its client's business, and the client is told by its own side.
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

async fn answer(
    request: Request<Incoming>,
    api: Api,
    shared: &Shared,
) -> Option<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await;
    let read = Read {
        method: head.method,
        path: head.uri.path().to_owned(),
        headers: head.headers,
        // Read also where it is ignored, so that the connection can go on.
        body: body
            .map(|body| body.to_bytes())
            .map_err(|error| format!("cannot read the body: {error}")),
    };
    let outcome = match api {
        Api::Extension => extension::answer(&read, shared).await,
        Api::Runtime => runtime::answer(&read, shared).await,
    };
    let (status, refusal) = match outcome {
        Outcome::Answer(response) => return Some(response),
        Outcome::Reset => return None,
        Outcome::Refuse(status, refusal) => (status, refusal),
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
        let allowed = if read.method == Method::POST {
            "GET"
        } else {
            "POST"
        };
        response
            .headers_mut()
            .insert(header::ALLOW, header::HeaderValue::from_static(allowed));
    }
    shared.observe(&Event::Rejected {
        method: read.method.to_string(),
        path: read.path,
        status: status.as_u16(),
        error_message,
    });
    Some(response)
}

impl Read {
    fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// A call that is there, but not by this method.
    fn not_allowed(&self, allowed: &Method) -> Outcome {
        let Self { method, path, .. } = self;
        let message = format!("{path} takes {allowed}, not {method}");
        Outcome::Refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            Refusal::new("MethodNotAllowed", message),
        )
    }

    /// A call that is none of the API.
    fn unknown(&self) -> Outcome {
        let Self { method, path, .. } = self;
        let message = format!("this emulator has no {method} {path}");
        Outcome::Refuse(StatusCode::NOT_FOUND, Refusal::new("UnknownCall", message))
    }
}

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

fn json(status: StatusCode, shared: &Shared, error_info: ErrorInfo<'_>) -> Response<Full<Bytes>> {
    let body = Answer {
        function_name: shared.function_name,
        function_version: shared.function_version,
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
