//! One invocation of the function: its event for the extensions, beside the function's own run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Bytes;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::function::{FunctionRun, InvokeRequest};
use crate::shared::Shared;
use crate::{Error, Event, Fault, Platform, client};

/// How long an extension may take to answer (?: what the platform grants is unknown).
const TIMEOUT: Duration = Duration::from_secs(30);
/// What the fault of a huge event adds to it.
const HUGE: usize = 5 * 1024 * 1024;

/// The result of one invocation of the function.
#[derive(Debug)]
#[non_exhaustive]
pub struct InvokeResult {
    /// The invocation's request ID, a fresh UUID unless it was given.
    pub trace_id: String,
    /// One response from each extension that is registered; two, if a fault has doubled the event.
    pub responses: Vec<ExtensionResponse>,
    /// What the function did.
    pub function: FunctionRun,
    /// When the invocation began.
    pub started_at: Instant,
    /// Until function and extensions were done.
    pub duration: Duration,
    seed: Option<u64>,
}

/// The response of one extension to an invocation.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExtensionResponse {
    /// The extension's script name.
    pub script: String,
    /// From the invocation's start to the POST.
    pub posted_after: Duration,
    /// From connecting to the response's last byte.
    pub round_trip: Duration,
    /// The response, or why there is none.
    pub result: Result<HttpResponse, Error>,
}

/// Status and body of an extension's response.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HttpResponse {
    /// As in 200.
    pub status: u16,
    /// At most 6 MiB.
    pub body: Bytes,
}

impl InvokeResult {
    /// Whether every extension answered with 200 (D 2707: any other code is an error). What became of the function
    /// is in [`function`](Self::function).
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.responses.iter().all(ExtensionResponse::is_ok)
    }

    /// For tests.
    ///
    /// # Panics
    ///
    /// If an extension did not answer with 200. With faults, the message has their seed.
    #[track_caller]
    pub fn assert_ok(&self) {
        let failed = |response: &&ExtensionResponse| !response.is_ok();
        let failed: Vec<_> = self.responses.iter().filter(failed).collect();
        let seed = match self.seed {
            Some(seed) => format!(" (faults by seed {seed})"),
            None => String::new(),
        };
        assert!(failed.is_empty(), "not answered with 200{seed}: {failed:?}");
    }
}

impl ExtensionResponse {
    /// Whether it is a 200.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self.result, Ok(HttpResponse { status: 200, .. }))
    }
}

impl Platform {
    /// Invokes the function once: posts the event, with a fresh trace id, to every extension at the same
    /// time, and waits for their answers, 30 seconds at most.
    ///
    /// # Errors
    ///
    /// If no extension is registered. What goes wrong with one of them is in its [`ExtensionResponse`].
    pub async fn invoke(&self) -> Result<InvokeResult, Error> {
        self.invoke_with(InvokeRequest::new()).await
    }

    /// Invokes the function in a certain way. The extensions get their events when the function starts (?), over a
    /// connection each; an instance that is frozen is thawed.
    ///
    /// # Errors
    ///
    /// As [`invoke`](Self::invoke).
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished nobody waits for the answers any more, and telemetry tells of no end. A
    /// `bootstrap` that has the event goes on, and its answer is refused; one that has not does not get it.
    pub async fn invoke_with(&self, invocation: InvokeRequest) -> Result<InvokeResult, Error> {
        let registered = self.shared.state().registered();
        if registered.is_empty() {
            return Err(Error::new(
                "no extension is registered, so there is none to invoke",
            ));
        }
        self.may_freeze("before").await;
        self.thaw_if_frozen();
        let shared = &self.shared;
        let fresh = || uuid::Uuid::new_v4().to_string();
        let trace_id = invocation.trace_id.clone().unwrap_or_else(fresh);
        let after = shared.strikes(Fault::TelemetryAfter, "telemetry waits for the answers");
        let held = after.then(|| {
            shared.change(|state| state.telemetry.held += 1);
            shared.finally(|state| state.telemetry.held -= 1)
        });
        let (started, start) = (SystemTime::now(), Instant::now());
        shared.change(|state| state.telemetry.invocation_starts(&trace_id, started));
        if !after && shared.strikes(Fault::TelemetryBefore, "telemetry comes before the event") {
            self.wait_for_telemetry().await;
        }
        let late = shared.strikes(Fault::EventLate, "the event comes after the function's end");
        let posts = Posts::new(shared, &trace_id)?;
        let mut calls = JoinSet::new();
        let call = |calls: &mut JoinSet<_>| {
            for (script, address) in registered {
                calls.spawn(posts.clone().post(script, address, start));
            }
        };
        let function = if late {
            let function = self
                .run_function(&trace_id, &invocation, started, start)
                .await;
            call(&mut calls);
            function
        } else {
            call(&mut calls);
            self.run_function(&trace_id, &invocation, started, start)
                .await
        };
        let mut responses: Vec<_> = calls.join_all().await.into_iter().flatten().collect();
        let duration = start.elapsed();
        self.may_freeze("after").await;
        shared.change(|state| {
            let telemetry = &mut state.telemetry;
            telemetry.invocation_ends(&trace_id, started, &function);
        });
        drop(held);
        responses.sort_by(|a, b| (&a.script, a.posted_after).cmp(&(&b.script, b.posted_after)));
        Ok(InvokeResult {
            trace_id,
            responses,
            function,
            started_at: start,
            duration,
            seed: shared.dice.seed(),
        })
    }

    async fn run_function(
        &self,
        trace_id: &str,
        invocation: &InvokeRequest,
        started: SystemTime,
        start: Instant,
    ) -> FunctionRun {
        let (outcome, response) = match self.bootstrap() {
            Some(function) => {
                let payload = invocation.payload.clone();
                function.run(trace_id, payload, &self.shared).await
            }
            None => {
                for line in &invocation.logs {
                    let at = SystemTime::now();
                    self.shared
                        .change(|state| state.telemetry.logged(trace_id, line, at));
                }
                tokio::time::sleep(invocation.duration).await;
                (invocation.outcome, Bytes::new())
            }
        };
        let run = FunctionRun {
            outcome,
            duration: start.elapsed(),
            response,
        };
        self.shared
            .change(|state| state.telemetry.function_ends(trace_id, started, &run));
        run
    }
}

/// The event (D 2707).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    trace_id: &'a str,
    invoked_function_urn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    padding: Option<String>,
}

/// What each extension is posted for one invocation.
#[derive(Clone)]
struct Posts {
    shared: Arc<Shared>,
    body: Bytes,
    malformed: bool,
    times: usize,
}

impl Posts {
    fn new(shared: &Arc<Shared>, trace_id: &str) -> Result<Self, Error> {
        let huge = shared.strikes(Fault::EventHuge, "the event has a field of 5 MiB");
        let body = serde_json::to_vec(&Body {
            trace_id,
            invoked_function_urn: shared.function_urn,
            padding: huge.then(|| "x".repeat(HUGE)),
        })
        .map_err(Error::because("cannot write an invocation"))?;
        let duplicate = shared.strikes(Fault::EventDuplicate, "the event is posted twice");
        Ok(Self {
            shared: Arc::clone(shared),
            body: body.into(),
            // Told with its answer.
            malformed: shared.dice.strikes(Fault::EventMalformed),
            times: if duplicate { 2 } else { 1 },
        })
    }

    async fn post(
        self,
        script: String,
        address: SocketAddr,
        start: Instant,
    ) -> Vec<ExtensionResponse> {
        if self.malformed {
            let half = self.body.slice(..self.body.len() / 2);
            let answer = match call(address, half).await {
                Ok(response) => format!("answered {}", response.status),
                Err(error) => format!("gave no answer: {}", error.in_one_line()),
            };
            self.shared.observe(&Event::FaultInjected {
                fault: Fault::EventMalformed,
                description: format!("{script} {answer} to an event that is cut off"),
            });
        }
        let mut responses = Vec::new();
        for _ in 0..self.times {
            let (posted_after, posted_at) = (start.elapsed(), Instant::now());
            let result = call(address, self.body.clone()).await;
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

async fn call(address: SocketAddr, body: Bytes) -> Result<HttpResponse, Error> {
    let response =
        client::post("an invocation", address, "/extension/invoke", body, TIMEOUT).await?;
    Ok(HttpResponse {
        status: response.status().as_u16(),
        body: response.into_body(),
    })
}
