//! Invokes the function: its run, and beside it the event for the extensions.

use std::time::{Instant, SystemTime};

use hyper::body::Bytes;
use tokio::task::JoinSet;

use super::Platform;
use crate::function::FunctionRun;
use crate::invocation::EventPost;
use crate::{Error, Fault, InvokeRequest, InvokeResult};

impl Platform {
    /// Invokes the function once: posts the event, with a fresh trace id, to every extension at the same
    /// time, and waits for their responses, 30 seconds at most.
    ///
    /// # Errors
    ///
    /// If no extension is registered. What goes wrong with one of them is in its [`ExtensionResponse`](crate::ExtensionResponse).
    ///
    /// # Cancel safety
    ///
    /// As [`invoke_with`](Self::invoke_with).
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
    /// When this is dropped unfinished nobody waits for the responses any more, and telemetry has no events of the end. A
    /// `bootstrap` that has the event goes on, and its response is rejected; one that has not does not get it.
    pub async fn invoke_with(&self, request: InvokeRequest) -> Result<InvokeResult, Error> {
        self.inner.or_observer_panic(self.run(&request)).await
    }

    async fn run(&self, request: &InvokeRequest) -> Result<InvokeResult, Error> {
        let registered = self.inner.state().registered_extensions();
        if registered.is_empty() {
            return Err(Error::new(
                "no extension is registered, so there is none to invoke",
            ));
        }
        self.inject_freeze("before").await;
        self.thaw_if_frozen();
        let inner = &self.inner;
        let fresh = || uuid::Uuid::new_v4().to_string();
        let trace_id = request.trace_id.clone().unwrap_or_else(fresh);
        let after = inner.inject(Fault::TelemetryAfter, "telemetry waits for the answers");
        let paused = after.then(|| {
            inner.update(|state| state.telemetry.paused += 1);
            inner.update_on_drop(|state| state.telemetry.paused -= 1)
        });
        let (started_at, start) = (SystemTime::now(), Instant::now());
        inner.update(|state| state.telemetry.invocation_started(&trace_id, started_at));
        if !after && inner.inject(Fault::TelemetryBefore, "telemetry comes before the event") {
            self.wait_for_telemetry().await;
        }
        let late = inner.inject(Fault::EventLate, "the event comes after the function's end");
        let event = EventPost::new(inner, &trace_id)?;
        // A set, because it aborts its tasks when this is dropped unfinished.
        let mut posts = JoinSet::new();
        let mut post_to_all = || {
            for (script, address) in &registered {
                posts.spawn(event.clone().post(script.clone(), *address, start));
            }
        };
        if !late {
            post_to_all();
        }
        let function = self
            .run_function(&trace_id, request, started_at, start)
            .await;
        if late {
            post_to_all();
        }
        let responses = posts.join_all().await;
        let mut responses: Vec<_> = responses.into_iter().flatten().collect();
        let duration = start.elapsed();
        self.inject_freeze("after").await;
        inner.update(|state| {
            let telemetry = &mut state.telemetry;
            telemetry.invocation_done(&trace_id, started_at, &function);
        });
        drop(paused);
        responses.sort_by(|a, b| (&a.script, a.posted_after).cmp(&(&b.script, b.posted_after)));
        Ok(InvokeResult {
            trace_id,
            responses,
            function,
            started_at: start,
            duration,
            seed: inner.faults.seed(),
        })
    }

    async fn run_function(
        &self,
        trace_id: &str,
        request: &InvokeRequest,
        started_at: SystemTime,
        start: Instant,
    ) -> FunctionRun {
        let (outcome, response) = match self.bootstrap() {
            Some(function) => {
                let payload = request.payload.clone();
                function.run(trace_id, payload, &self.inner).await
            }
            None => {
                for line in &request.logs {
                    let at = SystemTime::now();
                    self.inner
                        .update(|state| state.telemetry.function_logged(trace_id, line, at));
                }
                tokio::time::sleep(request.duration).await;
                (request.outcome, Bytes::new())
            }
        };
        let run = FunctionRun {
            outcome,
            duration: start.elapsed(),
            response,
        };
        self.inner
            .update(|state| state.telemetry.function_done(trace_id, started_at, &run));
        run
    }
}
