//! What tests ask of the platform about telemetry.

use std::time::Duration;

use hyper::body::Bytes;

use super::{Subscription, delivery};
use crate::shared::Shared;
use crate::starts::BOOT_TIMEOUT;
use crate::{Error, Event, Platform};

/// How long the end waits for the subscriber.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);

impl Platform {
    /// Waits until an extension has subscribed to telemetry.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), fg_emulator::Error> {
    /// use fg_emulator::{ExtensionCommand, Platform};
    ///
    /// let platform = Platform::start().await?;
    /// let boot = ExtensionCommand::new("extensionForwarder.sh", "target/debug/forwarder");
    /// platform.boot(boot.lease_port().lease_telemetry_port()).await?;
    /// platform.wait_for_subscription().await?;
    /// platform.invoke().await?.assert_ok();
    /// platform.wait_for_telemetry().await;
    /// // Now the forwarder has answered for all that the invocation had to tell.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If none has in 15 seconds.
    pub async fn wait_for_subscription(&self) -> Result<Subscription, Error> {
        let subscription = self
            .shared
            .when(|state| state.telemetry.subscription().cloned());
        tokio::time::timeout(BOOT_TIMEOUT, subscription)
            .await
            .map_err(|_| {
                let registered = self.shared.state().registered();
                let scripts: Vec<_> = registered.into_iter().map(|(script, _)| script).collect();
                Error::new(match &scripts[..] {
                    [] => format!(
                        "no extension registered, so none subscribed to telemetry in {BOOT_TIMEOUT:?}"
                    ),
                    scripts => format!(
                        "no POST /telemetry came in {BOOT_TIMEOUT:?} (registered: {})",
                        scripts.join(", ")
                    ),
                })
            })
    }

    /// Waits until all telemetry of what has happened so far was answered or given up; at once if nobody has
    /// subscribed.
    ///
    /// What is given up, after five attempts of five seconds at most, is told to the observer
    /// ([`Event::TelemetryLost`]). A frozen instance is sent nothing, so this waits until it is thawed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub async fn wait_for_telemetry(&self) {
        let mut goal = None;
        self.shared
            .when(|state| {
                let telemetry = &state.telemetry;
                let settled = telemetry.backlog.settled();
                let goal = *goal.get_or_insert(settled + telemetry.backlog.open());
                (telemetry.subscription.is_none() || settled >= goal).then_some(())
            })
            .await;
    }

    /// Posts a body of any kind, once and at once, to the subscriber; the answer's status.
    ///
    /// For tests of events that this emulator does not send, and of what is no JSON at all.
    ///
    /// # Errors
    ///
    /// If nobody has subscribed, or there is no answer in five seconds.
    pub async fn send_telemetry(&self, body: impl Into<Bytes>) -> Result<u16, Error> {
        let subscription = self.shared.state().telemetry.subscription().cloned();
        let subscription = subscription.ok_or_else(|| {
            Error::new("no extension has subscribed to telemetry, so there is none to send it to")
        })?;
        let answer = delivery::post(&subscription, body.into()).await?;
        Ok(answer.status().as_u16())
    }
}

impl Shared {
    /// Waits until nothing is left to deliver, but not for long.
    pub(crate) async fn last_telemetry(&self) {
        let all = self.when(|state| {
            let telemetry = &state.telemetry;
            (telemetry.subscription.is_none() || telemetry.backlog.open() == 0).then_some(())
        });
        let _ = tokio::time::timeout(SHUTDOWN_PATIENCE, all).await;
    }

    /// Takes no more telemetry, and tells of what was not delivered.
    pub(crate) fn close_telemetry(&self) {
        let mut state = self.state();
        let events = state.telemetry.backlog.close();
        let subscribed = state.telemetry.subscription.is_some();
        drop(state);
        if events > 0 && subscribed {
            self.observe(&Event::TelemetryLost {
                events,
                reason: "the instance ended first".to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Platform;

    #[tokio::test(start_paused = true)]
    async fn what_never_comes_is_told() {
        let platform = Platform::start().await.unwrap();
        let error = platform.wait_for_subscription().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no extension registered, so none subscribed to telemetry in 15s"
        );
        let error = platform.send_telemetry("[]").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no extension has subscribed to telemetry, so there is none to send it to"
        );
        // Nothing is owed to nobody.
        platform.wait_for_telemetry().await;
        assert!(platform.shutdown().await.unwrap().is_clean());
    }
}
