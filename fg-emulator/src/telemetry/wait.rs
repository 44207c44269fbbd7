//! What tests wait for.

use std::time::Duration;

use hyper::body::Bytes;

use super::{Subscription, delivery};
use crate::inner::Inner;
use crate::platform::BOOT_TIMEOUT;
use crate::{Error, Event, Platform};

/// How long a shutdown waits for the subscriber.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

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
    /// // Now the forwarder has accepted all events of the invocation.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If none has in 15 seconds.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub async fn wait_for_subscription(&self) -> Result<Subscription, Error> {
        let subscription = self
            .inner
            .wait_until(|state| state.telemetry.subscription().cloned());
        let subscription = tokio::time::timeout(BOOT_TIMEOUT, subscription);
        self.inner
            .or_observer_panic(subscription)
            .await
            .map_err(|_| {
                let registered = self.inner.state().registered_extensions();
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

    /// Waits until all telemetry of what has happened so far is delivered or lost. Returns at once if nobody has
    /// subscribed.
    ///
    /// What is lost, after five attempts of five seconds at most, is reported to the observer
    /// ([`Event::TelemetryLost`]). A frozen instance is sent nothing, so this waits until it is thawed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub async fn wait_for_telemetry(&self) {
        let mut goal = None;
        let settled = self.inner.wait_until(|state| {
            let telemetry = &state.telemetry;
            let settled = telemetry.buffer.settled();
            let goal = *goal.get_or_insert(settled + telemetry.buffer.pending());
            (telemetry.subscription.is_none() || settled >= goal).then_some(())
        });
        self.inner.or_observer_panic(settled).await;
    }

    /// Posts a body of any kind, once and at once, to the subscriber; returns the response's status.
    ///
    /// For tests of events that this emulator does not send, and of bodies that are not JSON.
    ///
    /// # Errors
    ///
    /// If nobody has subscribed, or there is no response in five seconds.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished the connection breaks off; the subscriber may have the body.
    pub async fn send_telemetry(&self, body: impl Into<Bytes>) -> Result<u16, Error> {
        let subscription = self.inner.state().telemetry.subscription().cloned();
        let subscription = subscription.ok_or_else(|| {
            Error::new("no extension has subscribed to telemetry, so there is none to send it to")
        })?;
        let response = delivery::post(&subscription, body.into());
        let response = self.inner.or_observer_panic(response).await?;
        Ok(response.status().as_u16())
    }
}

impl Inner {
    /// Waits until all telemetry is delivered or lost, two seconds at most.
    pub(crate) async fn drain_telemetry(&self) {
        let all = self.wait_until(|state| {
            let telemetry = &state.telemetry;
            (telemetry.subscription.is_none() || telemetry.buffer.pending() == 0).then_some(())
        });
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, all).await;
    }

    /// Accepts no more telemetry, and reports what was not delivered.
    pub(crate) fn close_telemetry(&self) {
        let mut state = self.state();
        let events = state.telemetry.buffer.close();
        let subscribed = state.telemetry.subscription.is_some();
        drop(state);
        if events > 0 && subscribed {
            self.report(&Event::TelemetryLost {
                events,
                reason: "the instance was shut down first".to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Platform;

    #[tokio::test(start_paused = true)]
    async fn timeouts_are_reported() {
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
