//! Invokes the function: runs it, and posts the invoke event to the extensions at the same time.

use std::time::{Instant, SystemTime};

use hyper::body::Bytes;
use tokio::task::JoinSet;

use super::Platform;
use crate::function::{FunctionRun, RuntimeResponse};
use crate::invocation::EventPost;
use crate::{Error, Event, Fault, InvokeRequest, InvokeResult};

impl Platform {
    /// Invokes the function once, with default settings: a new trace ID, the payload `{}`, and a synthetic function that
    /// succeeds at once.
    ///
    /// See [`invoke_with`](Self::invoke_with) for what an invocation does.
    ///
    /// # Errors
    ///
    /// See [`invoke_with`](Self::invoke_with).
    ///
    /// # Cancel safety
    ///
    /// See [`invoke_with`](Self::invoke_with).
    pub async fn invoke(&self) -> Result<InvokeResult, Error> {
        self.invoke_with(InvokeRequest::new()).await
    }

    /// Invokes the function once, as the request specifies. Completes when the function has finished and every extension
    /// has responded.
    ///
    /// If the instance is frozen, it is thawed first. When the function starts, the invoke event is posted to all
    /// registered extensions at the same time (?), over a new connection each. An extension may take 30 seconds to
    /// respond.
    ///
    /// # Errors
    ///
    /// Returns an error if no extension is registered. An extension that does not respond, or responds with a
    /// status other than 200, is not an error: see [`InvokeResult::assert_ok`] and
    /// [`ExtensionResponse`](crate::ExtensionResponse).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the connections to the extensions are closed, and the remaining
    /// telemetry events of the invocation are not emitted. A `bootstrap` that has not yet received the event does not
    /// receive it; if it has, its response is rejected.
    pub async fn invoke_with(&self, request: InvokeRequest) -> Result<InvokeResult, Error> {
        self.inner.or_observer_panic(self.run(&request)).await
    }

    async fn run(&self, request: &InvokeRequest) -> Result<InvokeResult, Error> {
        let registered = self.inner.state().registered_extensions();
        if registered.is_empty() {
            return Err(Error::new(
                "cannot invoke the function: no extension is registered; boot one first",
            ));
        }
        self.inject_freeze("before").await;
        self.thaw_if_frozen();
        let inner = &self.inner;
        let new_id = || uuid::Uuid::new_v4().to_string();
        let trace_id = request.trace_id.clone().unwrap_or_else(new_id);
        let after = inner.inject(
            Fault::TelemetryAfter,
            "telemetry is delayed until the extensions have responded",
        );
        let paused = after.then(|| {
            inner.update(|state| state.telemetry.paused += 1);
            inner.update_on_drop(|state| state.telemetry.paused -= 1)
        });
        let printed = inner.state().store_printed();
        let discard_printed = inner.update_on_drop(|state| drop(state.take_printed(printed)));
        let (started_at, start) = (SystemTime::now(), Instant::now());
        inner.update(|state| state.telemetry.invocation_started(&trace_id, started_at));
        if !after
            && inner.inject(
                Fault::TelemetryBefore,
                "telemetry is delivered before the event is posted",
            )
        {
            self.wait_for_telemetry().await;
        }
        let late = inner.inject(
            Fault::EventLate,
            "the event is posted after the function has finished",
        );
        let post = EventPost::new(inner, &trace_id)?;
        let event = post.body();
        // A `JoinSet`, because it aborts its tasks when this future is dropped.
        let mut posts = JoinSet::new();
        let mut post_to_all = || {
            for (script, address) in &registered {
                posts.spawn(post.clone().post(script.clone(), *address, start));
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
        // The lines that were printed before the responses may not have been read yet.
        let drain = inner.streams.drain();
        inner
            .wait_until(|_| drain.is_complete().then_some(()))
            .await;
        discard_printed.disarm();
        let printed = inner.state().take_printed(printed);
        responses.sort_by(|a, b| (&a.script, a.posted_after).cmp(&(&b.script, b.posted_after)));
        Ok(InvokeResult {
            trace_id,
            responses,
            function,
            event,
            printed,
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
        let response = match self.bootstrap() {
            Some(function) => function.run(trace_id, request.payload.clone()).await,
            None => {
                for line in &request.logs {
                    let at = SystemTime::now();
                    self.inner
                        .update(|state| state.telemetry.function_logged(trace_id, line, at));
                    self.inner.report(&Event::FunctionLogged {
                        trace_id: trace_id.to_owned(),
                        text: line.clone(),
                    });
                }
                let timeout = self.inner.settings.timeout;
                tokio::time::sleep(request.duration.min(timeout)).await;
                match request.duration > timeout {
                    true => RuntimeResponse::timeout(timeout),
                    false => RuntimeResponse {
                        outcome: request.outcome,
                        ..RuntimeResponse::ok(Bytes::new())
                    },
                }
            }
        };
        let run = FunctionRun {
            outcome: response.outcome,
            duration: start.elapsed(),
            response: response.body,
            http_status: response.http_status,
        };
        self.inner
            .update(|state| state.telemetry.function_done(trace_id, started_at, &run));
        run
    }
}
