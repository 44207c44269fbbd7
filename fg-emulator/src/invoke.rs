//! The platform's call to an extension.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use serde::Serialize;

use crate::{Error, client};

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
    let result = async {
        let body = serde_json::to_vec(&Invocation {
            trace_id,
            invoked_function_urn: urn,
        })
        .map_err(Error::because("cannot write an invocation"))?;
        client::post("an invocation", address, "/extension/invoke", body, TIMEOUT).await
    }
    .await;
    Reply {
        script,
        round_trip: start.elapsed(),
        result,
    }
}
