//! Posts the invoke event to the extensions (D 2707).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use serde::Serialize;

use super::{ExtensionResponse, HttpResponse};
use crate::http::client;
use crate::inner::Inner;
use crate::{Error, Event, Fault};

/// How long an extension may take to respond (?: the platform's limit is unknown).
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// The length of the field that [`Fault::EventHuge`] adds.
const PADDING_BYTES: usize = 5 * 1024 * 1024;

/// The invoke event of one invocation, ready to be posted to each extension.
#[derive(Clone)]
pub(crate) struct EventPost {
    inner: Arc<Inner>,
    body: Bytes,
    malformed: bool,
    times: usize,
}

impl EventPost {
    pub(crate) fn new(inner: &Arc<Inner>, trace_id: &str) -> Result<Self, Error> {
        let huge = inner.inject(
            Fault::EventHuge,
            "the event has an additional field of 5 MiB",
        );
        let body = serde_json::to_vec(&EventBody {
            trace_id,
            invoked_function_urn: inner.function_urn,
            padding: huge.then(|| "x".repeat(PADDING_BYTES)),
        })
        .map_err(Error::context("cannot serialize the invoke event"))?;
        let duplicate = inner.inject(Fault::EventDuplicate, "the event is posted twice");
        Ok(Self {
            inner: Arc::clone(inner),
            body: body.into(),
            // Reported to the observer in `post`, together with the response.
            malformed: inner.faults.should_inject(Fault::EventMalformed),
            times: if duplicate { 2 } else { 1 },
        })
    }

    /// Returns the body that is posted. Faults can precede it with half of it, or post it twice.
    pub(crate) fn body(&self) -> Bytes {
        self.body.clone()
    }

    pub(crate) async fn post(
        self,
        script: String,
        address: SocketAddr,
        start: Instant,
    ) -> Vec<ExtensionResponse> {
        if self.malformed {
            let half = self.body.slice(..self.body.len() / 2);
            let result = match post_body(address, half).await {
                Ok(response) => format!("responded with status {}", response.status),
                Err(error) => format!("did not respond: {error:?}"),
            };
            self.inner.report(&Event::FaultInjected {
                fault: Fault::EventMalformed,
                description: format!("a truncated event was posted; {script} {result}"),
            });
        }
        let mut responses = Vec::new();
        for _ in 0..self.times {
            let (posted_after, posted_at) = (start.elapsed(), Instant::now());
            let result = post_body(address, self.body.clone()).await;
            responses.push(ExtensionResponse {
                script: script.clone(),
                posted_after,
                round_trip: posted_at.elapsed(),
                result,
            });
        }
        responses
    }
}

/// The body of the event (D 2707).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventBody<'a> {
    trace_id: &'a str,
    invoked_function_urn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    padding: Option<String>,
}

async fn post_body(address: SocketAddr, body: Bytes) -> Result<HttpResponse, Error> {
    let (description, path) = ("an invoke event", "/extension/invoke");
    let response = client::post(description, address, path, body, RESPONSE_TIMEOUT).await?;
    Ok(HttpResponse {
        status: response.status().as_u16(),
        body: response.into_body(),
    })
}
