//! The HTTP client. It opens a new connection for each request, because a pooled one would not survive a freeze.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::MAX_BODY;
use crate::Error;

/// Posts a JSON body, and returns the response. Errors call the body `description`, such as `an invoke event`.
pub(crate) async fn post(
    description: &str,
    address: SocketAddr,
    path: &str,
    body: Bytes,
    response_timeout: Duration,
) -> Result<Response<Bytes>, Error> {
    let exchange = async { send(address, json_request(address, path, body)?).await };
    match tokio::time::timeout(response_timeout, exchange).await {
        Ok(result) => result.map_err(Error::context(format!(
            "cannot post {description} to {address}"
        ))),
        Err(_) => Err(Error::new(format!(
            "{address} did not respond to {description} within {response_timeout:?}"
        ))),
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn json_request(
    address: SocketAddr,
    path: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, BoxError> {
    let request = Request::post(path)
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        // hyper omits the length of an empty body, which not every server treats as 0.
        .header(header::CONTENT_LENGTH, body.len())
        .body(Full::new(body))?;
    Ok(request)
}

/// Sends a request over a new connection, and returns the response. It waits without a timeout.
pub(crate) async fn send(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, BoxError> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // A `JoinSet`, because it aborts its tasks when this future is dropped.
    let mut task = JoinSet::new();
    task.spawn(connection);
    let response = sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
    drop(sender);
    // The connection closes after the sender is dropped. Its error does not matter once the response is complete.
    let _ = task.join_next().await;
    Ok(Response::from_parts(head, body))
}
