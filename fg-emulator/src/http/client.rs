//! The client: one POST, over a connection of its own: a pooled one would not outlive a freeze.

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

/// Posts JSON and returns the response. `description` is for the errors: `an invocation`.
pub(crate) async fn post(
    description: &str,
    address: SocketAddr,
    path: &str,
    body: Bytes,
    response_timeout: Duration,
) -> Result<Response<Bytes>, Error> {
    match tokio::time::timeout(response_timeout, exchange(address, path, body)).await {
        Ok(result) => result.map_err(Error::because(format!(
            "cannot post {description} to {address}"
        ))),
        Err(_) => Err(Error::new(format!(
            "{address} did not respond to {description} in {response_timeout:?}"
        ))),
    }
}

async fn exchange(
    address: SocketAddr,
    path: &str,
    body: Bytes,
) -> Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
    let request = Request::post(path)
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        // hyper leaves out the length of a body that is empty, and not every server takes that for 0.
        .header(header::CONTENT_LENGTH, body.len())
        .body(Full::new(body))?;
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // A set, because it aborts its task when this is dropped unfinished.
    let mut task = JoinSet::new();
    task.spawn(connection);
    let response = sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
    drop(sender);
    // It ends with the sender; how does not matter once the response is here.
    let _ = task.join_next().await;
    Ok(Response::from_parts(head, body))
}
