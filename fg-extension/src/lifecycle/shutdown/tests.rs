//! Tests of the shutdown with paused time, without processes or sockets.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::time::{Instant, sleep};

use super::*;
use crate::config::TelemetryConfig;
use crate::lifecycle::{Activity, Phase};
use crate::telemetry::{Delivery, NoTelemetry};
use crate::{
    ExtensionName, Invocation, Port, Registration, Subscription, TelemetryCounters, TelemetryEvent,
    TelemetryHandler, TelemetryType,
};

const TIMEOUT: Duration = Duration::from_secs(2);
/// How long activities in flight may take: the timeout without the time reserved for `shutdown`.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(1500);

/// The behavior of an extension's method.
#[derive(Clone, Copy)]
enum Behavior {
    SucceedsAfter(Duration),
    Fails,
    Panics,
    Hangs,
}

use Behavior::{Fails, Hangs, Panics, SucceedsAfter};

struct Recorder {
    on_telemetry: Behavior,
    on_shutdown: Behavior,
    steps: Mutex<Vec<String>>,
}

impl Recorder {
    fn new(on_telemetry: Behavior, on_shutdown: Behavior) -> Arc<Self> {
        Arc::new(Self {
            on_telemetry,
            on_shutdown,
            steps: Mutex::default(),
        })
    }

    fn record(&self, step: impl Into<String>) {
        self.steps.lock().unwrap().push(step.into());
    }

    fn steps(&self) -> Vec<String> {
        self.steps.lock().unwrap().clone()
    }
}

async fn behave(behavior: Behavior) -> Result<(), Error> {
    match behavior {
        SucceedsAfter(duration) => sleep(duration).await,
        Fails => return Err("disk full".into()),
        Panics => panic!("disk gone"),
        Hangs => std::future::pending().await,
    }
    Ok(())
}

impl Extension for Recorder {
    const NAME: ExtensionName = ExtensionName::new("extensionRecorder.sh");
    const PORT: Port = Port::new(8081);

    async fn init(_: &Registration) -> Result<Self, Error> {
        Err("the test creates the extension".into())
    }

    async fn invoke(&self, _: Invocation) -> Result<(), Error> {
        Ok(())
    }

    async fn shutdown(&self) -> Result<(), Error> {
        self.record("shutdown starts");
        behave(self.on_shutdown).await?;
        self.record("shutdown ends");
        Ok(())
    }
}

impl TelemetryHandler for Recorder {
    const SUBSCRIPTION: Subscription =
        Subscription::new(Port::new(8082), &[TelemetryType::Platform]);

    async fn telemetry(
        &self,
        events: Vec<TelemetryEvent>,
        _: &TelemetryCounters,
    ) -> Result<(), Error> {
        behave(self.on_telemetry).await?;
        self.record(format!("{} events", events.len()));
        Ok(())
    }
}

/// Returns a delivery that has acknowledged a batch of two events.
fn acknowledged() -> Arc<Delivery> {
    let delivery = Arc::new(Delivery::new(&TelemetryConfig {
        port: Port::new(8082),
        types: &[TelemetryType::Platform],
        buffer: 4096,
        timeout: Duration::from_secs(30),
    }));
    assert_eq!(post(&delivery), StatusCode::OK);
    delivery
}

fn post(delivery: &Arc<Delivery>) -> StatusCode {
    let body = Bytes::from_static(br#"[{"name": "platform.start"}, {"name": "platform.report"}]"#);
    let response = pin!(Telemetry::<Recorder>::respond(delivery, Ok(body.into())));
    match response.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(response) => response.status(),
        Poll::Pending => panic!("a small batch is read at once"),
    }
}

/// Shuts down an extension that delivers telemetry. Returns the result and the duration.
async fn shut_down_with(
    lifecycle: &Arc<Lifecycle>,
    extension: &Arc<Recorder>,
    delivery: &Arc<Delivery>,
) -> (Result<(), RunError>, Duration) {
    lifecycle.begin_shutdown("test");
    let mut tasks = JoinSet::new();
    tasks.spawn({
        let (lifecycle, extension) = (Arc::clone(lifecycle), Arc::clone(extension));
        let delivery = Arc::clone(delivery);
        async move {
            let deliver = delivery.deliver(extension.as_ref(), &lifecycle);
            fg_util::select::select(deliver, lifecycle.reached(Phase::Aborting)).await;
        }
    });
    let start = Instant::now();
    let result = shut_down(
        lifecycle,
        extension.as_ref(),
        delivery.as_ref(),
        tasks,
        TIMEOUT,
    )
    .await;
    (result, start.elapsed())
}

/// Shuts down an extension without telemetry. Returns the result and the duration.
async fn shut_down_without(
    lifecycle: &Lifecycle,
    extension: &Recorder,
    timeout: Duration,
) -> (Result<(), RunError>, Duration) {
    lifecycle.begin_shutdown("test");
    let start = Instant::now();
    let result = shut_down(lifecycle, extension, &NoTelemetry, JoinSet::new(), timeout).await;
    (result, start.elapsed())
}

/// Spawns an activity that finishes after `duration`, unless the lifecycle aborts.
fn spawn_activity(
    lifecycle: &Arc<Lifecycle>,
    extension: &Arc<Recorder>,
    activity: Activity,
    duration: Duration,
) {
    let tracked = lifecycle.track(activity);
    let (lifecycle, extension) = (Arc::clone(lifecycle), Arc::clone(extension));
    tokio::spawn(async move {
        let aborting = lifecycle.reached(Phase::Aborting);
        match fg_util::select::select(sleep(duration), aborting).await {
            fg_util::select::Either::First(()) => extension.record(format!("{activity:?} ends")),
            fg_util::select::Either::Second(()) => {
                extension.record(format!("{activity:?} aborted"));
            }
        }
        drop(tracked);
    });
}

#[tokio::test(start_paused = true)]
async fn steps_run_in_order() {
    let ms = Duration::from_millis;
    let (lifecycle, delivery) = (Lifecycle::new(), acknowledged());
    let extension = Recorder::new(SucceedsAfter(ms(100)), SucceedsAfter(ms(10)));
    spawn_activity(&lifecycle, &extension, Activity::Listener, ms(20));
    spawn_activity(&lifecycle, &extension, Activity::Connection, ms(300));
    spawn_activity(&lifecycle, &extension, Activity::Invocation, ms(200));

    let (result, elapsed) = shut_down_with(&lifecycle, &extension, &delivery).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(elapsed, ms(310));
    assert_eq!(
        extension.steps(),
        [
            "Listener ends",
            "2 events",
            "Invocation ends",
            "Connection ends",
            "shutdown starts",
            "shutdown ends"
        ]
    );
    // A batch that arrives now would be lost, so it must not be acknowledged.
    assert_eq!(post(&delivery), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn hanging_invocation_is_aborted_and_leaves_time_for_shutdown() {
    let lifecycle = Lifecycle::new();
    let extension = Recorder::new(Fails, SucceedsAfter(Duration::from_millis(400)));
    let long = Duration::from_secs(60);
    spawn_activity(&lifecycle, &extension, Activity::Invocation, long);

    let (result, elapsed) = shut_down_without(&lifecycle, &extension, TIMEOUT).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(elapsed, DRAIN_TIMEOUT + Duration::from_millis(400));
    assert_eq!(
        extension.steps(),
        ["Invocation aborted", "shutdown starts", "shutdown ends"]
    );
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_a_client_that_does_not_read_its_response() {
    let lifecycle = Lifecycle::new();
    let extension = Recorder::new(Fails, SucceedsAfter(Duration::ZERO));
    let _connection = lifecycle.track(Activity::Connection);

    let (result, elapsed) = shut_down_without(&lifecycle, &extension, TIMEOUT).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(elapsed, DRAIN_TIMEOUT + RESPONSE_TIME);
}

#[tokio::test(start_paused = true)]
async fn hanging_shutdown_is_dropped_at_the_deadline() {
    for (timeout, in_flight) in [(TIMEOUT, true), (TIMEOUT, false), (Duration::ZERO, false)] {
        let lifecycle = Lifecycle::new();
        let extension = Recorder::new(Fails, Hangs);
        let _invocation = in_flight.then(|| lifecycle.track(Activity::Invocation));

        let (result, elapsed) = shut_down_without(&lifecycle, &extension, timeout).await;
        let error = result.unwrap_err();
        assert!(error.is_shutdown_timeout(), "{error}");
        assert!(
            error
                .to_string()
                .starts_with("the extension did not shut down within FG_SHUTDOWN_TIMEOUT ("),
            "{error}"
        );
        assert_eq!(elapsed, timeout);
    }
}

#[tokio::test(start_paused = true)]
async fn failed_shutdown_is_an_error_that_also_reports_undelivered_telemetry() {
    for (on_shutdown, message) in [(Fails, "disk full"), (Panics, "disk gone")] {
        let (lifecycle, delivery) = (Lifecycle::new(), acknowledged());
        let extension = Recorder::new(Hangs, on_shutdown);

        let (result, elapsed) = shut_down_with(&lifecycle, &extension, &delivery).await;
        let error = result.unwrap_err();
        assert!(error.is_shutdown(), "{error}");
        assert_eq!(
            error.to_string(),
            "the extension failed to shut down, and 2 acknowledged telemetry events were not delivered"
        );
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.ends_with(message), "{source}");
        assert_eq!(elapsed, DRAIN_TIMEOUT);
    }
}

#[tokio::test(start_paused = true)]
async fn undelivered_telemetry_is_an_error() {
    for on_telemetry in [Hangs, Fails, Panics] {
        let (lifecycle, delivery) = (Lifecycle::new(), acknowledged());
        let extension = Recorder::new(on_telemetry, SucceedsAfter(Duration::ZERO));

        let (result, elapsed) = shut_down_with(&lifecycle, &extension, &delivery).await;
        let error = result.unwrap_err();
        assert!(error.is_undelivered_telemetry(), "{error}");
        assert_eq!(
            error.to_string(),
            "2 acknowledged telemetry events were not delivered within FG_SHUTDOWN_TIMEOUT (2s)"
        );
        assert_eq!(elapsed, DRAIN_TIMEOUT);
        assert_eq!(extension.steps(), ["shutdown starts", "shutdown ends"]);
    }
}

#[tokio::test(start_paused = true)]
async fn telemetry_lost_before_the_shutdown_is_an_error() {
    let (lifecycle, delivery) = (Lifecycle::new(), acknowledged());
    assert_eq!(Telemetry::<Recorder>::abandon(delivery.as_ref()), 2);
    let extension = Recorder::new(Fails, SucceedsAfter(Duration::ZERO));

    let (result, elapsed) = shut_down_with(&lifecycle, &extension, &delivery).await;
    let error = result.unwrap_err();
    assert!(error.is_undelivered_telemetry());
    assert_eq!(
        error.to_string(),
        "2 acknowledged telemetry events were not delivered within FG_TELEMETRY_TIMEOUT"
    );
    assert_eq!(elapsed, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn handler_that_delayed_the_shutdown_by_blocking_its_thread_is_an_error() {
    for (blocked, is_error) in [(TIMEOUT, false), (TIMEOUT + 2 * GRACE, true)] {
        let (lifecycle, delivery) = (Lifecycle::new(), acknowledged());
        let extension = Recorder::new(
            SucceedsAfter(Duration::ZERO),
            SucceedsAfter(Duration::from_millis(1)),
        );
        // The watchdog sees the signal while the thread is blocked.
        lifecycle.request_shutdown();
        sleep(blocked).await;

        let (result, _) = shut_down_with(&lifecycle, &extension, &delivery).await;
        assert_eq!(
            result.as_ref().is_err_and(RunError::is_shutdown_timeout),
            is_error,
            "{result:?}"
        );
        assert_eq!(
            extension.steps(),
            ["2 events", "shutdown starts", "shutdown ends"]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn telemetry_is_not_acknowledged_after_its_delivery_was_aborted() {
    let (lifecycle, delivery) = (Lifecycle::new(), acknowledged());
    let extension = Recorder::new(SucceedsAfter(Duration::ZERO), SucceedsAfter(Duration::ZERO));
    // A client that posts a batch after the abort, while clients may still read their responses.
    let connection = lifecycle.track(Activity::Connection);
    let late = tokio::spawn({
        let (lifecycle, delivery) = (Arc::clone(&lifecycle), Arc::clone(&delivery));
        async move {
            lifecycle.reached(Phase::Aborting).await;
            sleep(RESPONSE_TIME / 2).await;
            let status = post(&delivery);
            drop(connection);
            status
        }
    });

    let (result, elapsed) = shut_down_with(&lifecycle, &extension, &delivery).await;
    assert_eq!(late.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(elapsed, DRAIN_TIMEOUT + RESPONSE_TIME / 2);
    assert_eq!(
        extension.steps(),
        ["2 events", "shutdown starts", "shutdown ends"]
    );
}

#[tokio::test(start_paused = true)]
async fn timeout_starts_with_the_signal() {
    let lifecycle = Lifecycle::new();
    let extension = Recorder::new(Fails, Hangs);
    lifecycle.begin_shutdown("test");
    // The time that the listener takes to accept its backlog.
    sleep(Duration::from_millis(300)).await;

    let (result, elapsed) = shut_down_without(&lifecycle, &extension, TIMEOUT).await;
    assert!(result.unwrap_err().is_shutdown_timeout());
    assert_eq!(elapsed, TIMEOUT - Duration::from_millis(300));
}
