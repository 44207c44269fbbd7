//! The bugs. The page `docs/reliability.md` lists them.

use super::Mutation;

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        bug: "A batch that is lost counts as delivered",
        file: "telemetry/delivery.rs",
        code: "                return false;\n",
        replacement: "                return true;\n",
    },
    Mutation {
        bug: "A failed call with several batches counts as a delivery of all",
        file: "telemetry/delivery.rs",
        code: "let Err(failure) = attempt.await else",
        replacement: "let Err(failure) = attempt.await.or(Ok::<(), String>(())) else",
    },
    Mutation {
        bug: "A batch is lost after one failed attempt",
        file: "telemetry/delivery.rs",
        code: "if left < Duration::from_millis(10) {",
        replacement: "if left < self.timeout {",
    },
    Mutation {
        bug: "A batch that was delivered is delivered again",
        file: "telemetry/delivery.rs",
        code: "(0..together).for_each",
        replacement: "(1..together).for_each",
    },
    Mutation {
        bug: "A batch overtakes the one before",
        file: "telemetry/queue.rs",
        code: "state.waiting.extend(parts);",
        replacement: "parts.into_iter().for_each(|part| state.waiting.push_front(part));",
    },
    Mutation {
        bug: "A full queue acknowledges what it drops",
        file: "telemetry/queue.rs",
        code: r"        state
            .admits(text_bytes, self.limit)
            .inspect_err(|_| self.count_rejected())?;
",
        replacement: r"        if state.admits(text_bytes, self.limit).is_err() {
            return Ok(());
        }
",
    },
    Mutation {
        bug: "The queue has no limit",
        file: "telemetry/queue.rs",
        code: "others > 0 && others + bytes > limit",
        replacement: "others > usize::MAX - bytes && others + bytes > limit",
    },
    Mutation {
        bug: "A closed queue accepts batches",
        file: "telemetry/queue.rs",
        code: r"if self.closed {
            Err(PushError::Closed)
        } else if",
        replacement: "if",
    },
    Mutation {
        bug: "Events that are left at the shutdown are not counted as lost",
        file: "telemetry/queue.rs",
        code: "lost.fetch_add(left, Ordering",
        replacement: "lost.fetch_add(0, Ordering",
    },
    Mutation {
        bug: "The exit status hides lost events",
        file: "lifecycle/shutdown.rs",
        code: "Some(Ok(())) if lost > 0 =>",
        replacement: "Some(Ok(())) if lost > u64::MAX - 1 =>",
    },
    Mutation {
        bug: "The shutdown does not wait for telemetry",
        file: "lifecycle/shutdown.rs",
        code: "start.timeout(limits.abort, delivery.join_next())",
        replacement: "start.timeout(Duration::ZERO, delivery.join_next())",
    },
    Mutation {
        bug: "The shutdown does not wait for requests",
        file: "lifecycle/shutdown.rs",
        code: "if !lifecycle.drain(start, limits.abort).await {",
        replacement: "if !lifecycle.drain(start, Duration::ZERO).await {",
    },
    Mutation {
        bug: "The shutdown does not abort handlers that hang",
        file: "lifecycle/shutdown.rs",
        code: r"        lifecycle.abort().await;
        // Does not wait longer",
        replacement: "        // Does not wait longer",
    },
    Mutation {
        bug: "The shutdown does not call the author's `shutdown`",
        file: "lifecycle/shutdown.rs",
        code: "extension.shutdown())",
        replacement: "async { Ok(()) })",
    },
    Mutation {
        bug: "The shutdown resets connections that were not accepted yet",
        file: "http/listener.rs",
        code: "let mut left = BACKLOG;",
        replacement: "let mut left = 0 * BACKLOG;",
    },
    Mutation {
        bug: "A request that arrived with the shutdown signal is not read",
        file: "http/connection.rs",
        code: r"        if let Poll::Ready(served) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(served));
        }
        if state.is(Stage::Accepted) {",
        replacement: r"        if !lifecycle.has_reached(Phase::Draining)
            && let Poll::Ready(served) = connection.as_mut().poll(cx)
        {
            return Poll::Ready(Some(served));
        }
        if state.is(Stage::Accepted) {",
    },
    Mutation {
        bug: "Half a request holds up the shutdown",
        file: "http/connection.rs",
        code: "ReadTimer::new(READ_TIMEOUT_IN_SHUTDOWN, state)",
        replacement: "ReadTimer::new(READ_TIMEOUT, state)",
    },
    Mutation {
        bug: "A handler is dropped when its client leaves",
        file: "http/invoke.rs",
        code: r"Poll::Pending => tokio::spawn(unless_aborted(self, handler))
                .await",
        replacement: "Poll::Pending => Ok::<_, tokio::task::JoinError>(unless_aborted(self, handler).await)",
    },
    Mutation {
        bug: "A handler has no time limit",
        file: "http/invoke.rs",
        code: "start.timeout(timeout, handler)",
        replacement: "start.timeout(100 * timeout, handler)",
    },
    Mutation {
        bug: "A handler that fails is reported to the platform as a success",
        file: "http/invoke.rs",
        code: "failure(StatusCode::INTERNAL_SERVER_ERROR, kind, &message)",
        replacement: "failure(StatusCode::OK, kind, &message)",
    },
    Mutation {
        bug: "The memory of a body is never released",
        file: "http/reading.rs",
        code: r"    fn drop(&mut self) {
        used()[pool(self.bytes)].fetch_sub(self.bytes, Ordering::Relaxed);",
        replacement: r"    fn drop(&mut self) {
        used()[pool(self.bytes)].fetch_sub(0, Ordering::Relaxed);",
    },
    Mutation {
        bug: "Connections that have served requests are closed first",
        file: "http/open_connections.rs",
        code: "ranks.min() else",
        replacement: "ranks.max() else",
    },
    Mutation {
        bug: "Time in which the process was frozen counts in the registration",
        file: "platform/stopwatch.rs",
        code: ".min(left.min(slice));",
        replacement: ";",
    },
    Mutation {
        bug: "Time in which the process was frozen counts after the registration",
        file: "lifecycle/witness.rs",
        code: "lost.saturating_add(gap - CHARGED)",
        replacement: "lost",
    },
    Mutation {
        bug: "A second registration drops the first, which may be accepted",
        file: "platform/retry.rs",
        code: "                attempts += 1;\n",
        replacement: r"                attempts += 1;
                open.clear();
",
    },
    Mutation {
        bug: "A second registration that is rejected ends the first",
        file: "platform/retry.rs",
        code: "Ok(ApiResponse::Rejected(rejection)) if open.is_empty() => {",
        replacement: "Ok(ApiResponse::Rejected(rejection)) if rejected.is_none() => {",
    },
    Mutation {
        bug: "A registration is repeated while the first is still open",
        file: "platform/retry.rs",
        code: "elapsed + left * 3 / 4",
        replacement: "elapsed + left / 100",
    },
    Mutation {
        bug: "A handler that succeeds is reported to the platform as a failure",
        file: "http/invoke.rs",
        code: "Ok(()) => json(StatusCode::OK, response),",
        replacement: "Ok(()) => json(StatusCode::INTERNAL_SERVER_ERROR, response),",
    },
    Mutation {
        bug: "The queue rejects every batch",
        file: "telemetry/queue.rs",
        code: "self.state().admits(bytes, self.limit)",
        replacement: "self.state().admits(bytes, 0).and(Err(PushError::Full))",
    },
    Mutation {
        bug: "The registration stops before its time is used up",
        file: "platform/retry.rs",
        code: "left < SHORTEST_ATTEMPT {",
        replacement: "left < SHORTEST_ATTEMPT || attempts > 1 {",
    },
    Mutation {
        bug: "Telemetry is subscribed to before the registration",
        file: "telemetry/server.rs",
        code: "                lifecycle.reached(Phase::Registered).await;\n",
        replacement: "",
    },
    Mutation {
        bug: "No time is reserved for the author's `shutdown`",
        file: "lifecycle/shutdown.rs",
        code: "let abort = timeout - reserve;",
        replacement: "let abort = timeout;",
    },
    Mutation {
        bug: "Batches in flight do not count towards the limit of the queue",
        file: "telemetry/queue.rs",
        code: "let others = self.bytes();",
        replacement: "let others = self.waiting_bytes;",
    },
    Mutation {
        bug: "A client that closes its sending side gets no response",
        file: "http/connection.rs",
        code: "timer(HALF_CLOSED_TIMEOUT)",
        replacement: "timer(HALF_CLOSED_TIMEOUT / 100)",
    },
];
