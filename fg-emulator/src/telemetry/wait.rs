//! The telemetry methods of [`Platform`]: waiting for the subscription and for delivery, and posting custom bodies.

use std::time::Duration;

use hyper::body::Bytes;

use super::buffer::LostEvents;
use super::{Subscription, delivery};
use crate::inner::Inner;
use crate::platform::BOOT_TIMEOUT;
use crate::{Error, Event, Platform};

/// How long a shutdown waits until the buffered telemetry is delivered.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

impl Platform {
    /// Waits until an extension has subscribed to telemetry.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), fg_emulator::Error> {
    /// use fg_emulator::{ExtensionCommand, Platform};
    ///
    /// let platform = Platform::start().await?;
    /// let forwarder = ExtensionCommand::new("extensionForwarder.sh", "target/debug/forwarder");
    /// platform.boot(forwarder.lease_port().lease_telemetry_port()).await?;
    /// platform.wait_for_subscription().await?;
    /// platform.invoke().await?.assert_ok();
    /// platform.wait_for_telemetry().await;
    /// // The forwarder has now acknowledged every event of the invocation.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if no extension subscribes within 15 seconds.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
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
                        "no extension subscribed to telemetry within {BOOT_TIMEOUT:?}: none is registered"
                    ),
                    scripts => format!(
                        "no extension subscribed to telemetry within {BOOT_TIMEOUT:?} (registered: {})",
                        scripts.join(", ")
                    ),
                })
            })
    }

    /// Waits until every telemetry event emitted so far is delivered or lost. Returns at once if no extension has
    /// subscribed.
    ///
    /// A batch is lost after five attempts of at most five seconds each. Lost events are reported to the observer as
    /// [`Event::TelemetryLost`]. While the instance is frozen, nothing is delivered, so this method waits until it is
    /// thawed.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
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

    /// Delivers no telemetry until the delay is over. Events that are emitted until then are buffered.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the delivery continues.
    pub async fn delay_telemetry(&self, delay: Duration) {
        self.inner.update(|state| state.telemetry.paused += 1);
        let resume = self
            .inner
            .update_on_drop(|state| state.telemetry.paused -= 1);
        self.inner
            .or_observer_panic(tokio::time::sleep(delay))
            .await;
        drop(resume);
    }

    /// Posts an arbitrary body to the subscriber, and returns the status of the response. The body is posted at once, even
    /// if the instance is frozen, and without retries.
    ///
    /// Use it to test events that the emulator does not emit, and bodies that are not valid telemetry:
    ///
    /// ```no_run
    /// # async fn test(platform: fg_emulator::Platform) -> Result<(), fg_emulator::Error> {
    /// let status = platform.send_telemetry(r#"[{"name": "platform.unknown"}]"#).await?;
    /// assert_eq!(status, 200);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if no extension has subscribed, if the connection fails, or if the subscriber
    /// does not respond within five seconds.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the connection is closed. The subscriber may have received the body.
    pub async fn send_telemetry(&self, body: impl Into<Bytes>) -> Result<u16, Error> {
        let subscription = self.inner.state().telemetry.subscription().cloned();
        let subscription = subscription
            .ok_or_else(|| Error::new("cannot send telemetry: no extension has subscribed"))?;
        let response = delivery::post(&subscription, body.into());
        let response = self.inner.or_observer_panic(response).await?;
        Ok(response.status().as_u16())
    }
}

impl Inner {
    /// Waits until all telemetry is delivered or lost, for two seconds at most.
    pub(crate) async fn drain_telemetry(&self) {
        let all = self.wait_until(|state| {
            let telemetry = &state.telemetry;
            (telemetry.subscription.is_none() || telemetry.buffer.pending() == 0).then_some(())
        });
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, all).await;
    }

    /// Closes the buffer, and reports the events that were not delivered.
    pub(crate) fn close_telemetry(&self) {
        let mut state = self.state();
        let lost = state.telemetry.buffer.close();
        let subscribed = state.telemetry.subscription.is_some();
        drop(state);
        if let Some(LostEvents { events, body }) = lost
            && subscribed
        {
            self.report(&Event::TelemetryLost {
                events,
                reason: "the instance was shut down before delivery".to_owned(),
                body,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Platform;

    #[tokio::test(start_paused = true)]
    async fn missing_subscription_is_reported() {
        let platform = Platform::start().await.unwrap();
        let error = platform.wait_for_subscription().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no extension subscribed to telemetry within 15s: none is registered"
        );
        let error = platform.send_telemetry("[]").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot send telemetry: no extension has subscribed"
        );
        // Returns at once without a subscriber.
        platform.wait_for_telemetry().await;
        assert!(platform.shutdown().await.unwrap().is_clean());
    }
}
