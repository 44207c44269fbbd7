//! The platform's call to an extension.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;

use crate::Error;

/// How long an extension may take to answer (?: what the platform grants is unknown).
const TIMEOUT: Duration = Duration::from_secs(30);

/// The event (D 2707).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    trace_id: &'a str,
    invoked_function_urn: &'a str,
}

/// One invocation of the function, and what the extensions answered.
#[derive(Debug)]
pub struct Invoked {
    /// The invocation's request ID, a fresh UUID.
    pub trace_id: String,
    /// One answer from each extension that is registered.
    pub replies: Vec<Reply>,
}

/// What one extension answered.
#[derive(Debug)]
pub struct Reply {
    /// The extension's script name.
    pub script: String,
    /// From connecting to the answer's last byte.
    pub round_trip: Duration,
    /// Status and body, or why there is no answer.
    pub result: Result<(u16, Bytes), Error>,
}

impl Invoked {
    /// Whether every extension answered with 200 (D 2707: any other code is an error).
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.replies.iter().all(Reply::is_ok)
    }

    /// For tests.
    ///
    /// # Panics
    ///
    /// If an extension did not answer with 200.
    #[track_caller]
    pub fn assert_ok(&self) {
        let failed: Vec<_> = self.replies.iter().filter(|reply| !reply.is_ok()).collect();
        assert!(failed.is_empty(), "not answered with 200: {failed:?}");
    }
}

impl Reply {
    /// Whether it is a 200.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self.result, Ok((200, _)))
    }
}

pub(crate) async fn invoke(
    script: String,
    address: SocketAddr,
    trace_id: &str,
    urn: &str,
) -> Reply {
    let start = Instant::now();
    let result = match tokio::time::timeout(TIMEOUT, post(address, trace_id, urn)).await {
        Ok(result) => result.map_err(Error::because(format!(
            "cannot post an invocation to {address}"
        ))),
        Err(_) => Err(Error::new(format!(
            "{address} did not answer an invocation in {TIMEOUT:?}"
        ))),
    };
    Reply {
        script,
        round_trip: start.elapsed(),
        result,
    }
}

async fn post(
    address: SocketAddr,
    trace_id: &str,
    urn: &str,
) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let body = serde_json::to_vec(&Invocation {
        trace_id,
        invoked_function_urn: urn,
    })?;
    let request = Request::post("/extension/invoke")
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::<Bytes>::from(body))?;
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), 6 * 1024 * 1024)
        .collect()
        .await?
        .to_bytes();
    drop(sender);
    // It ends with the sender; how is of no matter once the answer is here.
    let _ = connection.await;
    Ok((status, body))
}
