//! The cache: one fetch for concurrent requests, and the refresh in the background.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use fg_util::duration;
use fg_util::throttle::Throttle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::TARGET;
use crate::clock::{FreezeAwareInstant, wait};
use crate::source::{BoxedSource, Fetched, SecretName, SourceError};
use crate::store::{Lifetimes, Lookup, MAX_VALUE_BYTES, Served, Store};

/// The maximum number of fetches at the same time.
const MAX_FETCHES: usize = 32;

/// How long the question whether a value has changed may take, before the value in memory is used.
const CHANGE_TIMEOUT: Duration = Duration::from_millis(200);

/// How long the background task waits at least, if a fetch cannot be started.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// Why a request has no value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum GetError {
    Source(SourceError),
    /// Too many other values are being fetched, or the extension shuts down.
    Busy,
}

/// A cache of the values of one source.
pub(crate) struct Cache {
    source: BoxedSource,
    /// `FG_SECRETS_TIMEOUT`
    timeout: Duration,
    ttl: Duration,
    state: Mutex<State>,
    /// Notified when a value may have to be refreshed earlier than the background task knows.
    changed: Notify,
    log_throttle: Mutex<Throttle>,
}

struct State {
    store: Store,
    /// The fetches that are in flight. A receiver gets the result.
    in_flight: HashMap<SecretName, watch::Receiver<Option<FetchResult>>>,
    tasks: JoinSet<()>,
    is_shut_down: bool,
}

type FetchResult = Result<Served, SourceError>;

/// One fetch from the source.
struct Attempt {
    start: FreezeAwareInstant,
    was_frozen: bool,
    result: Result<Fetched, SourceError>,
}

impl Cache {
    pub(crate) fn new(source: BoxedSource, lifetimes: Lifetimes, timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            source,
            timeout,
            ttl: lifetimes.ttl,
            state: Mutex::new(State {
                store: Store::new(lifetimes),
                in_flight: HashMap::new(),
                tasks: JoinSet::new(),
                is_shut_down: false,
            }),
            changed: Notify::new(),
            log_throttle: Mutex::new(Throttle::one_per_second()),
        })
    }

    /// Returns the value of a secret, and fetches it if necessary.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the fetch goes on.
    pub(crate) async fn get(self: &Arc<Self>, name: &SecretName) -> Result<Served, GetError> {
        let fresh = match self.look_up(name) {
            Lookup::Fresh { served, is_first } => {
                if is_first {
                    self.wake();
                }
                served
            }
            Lookup::Recent(result) => return result.map_err(GetError::Source),
            Lookup::Fetch => return self.fetch(name).await,
        };
        let version = fresh.secret.version.as_deref();
        let has_changed = catch_panic(self.source.has_changed(name, version));
        if wait(CHANGE_TIMEOUT, has_changed).await.output != Some(Some(true)) {
            return Ok(fresh);
        }
        self.lock().store.mark_outdated(name);
        match self.look_up(name) {
            // Another request has fetched it in the meantime.
            Lookup::Fresh { served, .. } => Ok(served),
            Lookup::Recent(result) => result.map_err(GetError::Source),
            Lookup::Fetch => self.fetch(name).await,
        }
    }

    /// Makes a value expire, because a client says that it is out of date.
    pub(crate) fn expire(&self, name: &SecretName) {
        self.lock().store.expire(name, FreezeAwareInstant::now());
    }

    /// Fetches a value, or waits for the fetch that is in flight. If it fails, or there are too many others, returns the
    /// expired value if possible.
    async fn fetch(self: &Arc<Self>, name: &SecretName) -> Result<Served, GetError> {
        let Some(mut result) = self.start_fetch(name) else {
            let stale = self.lock().store.stale(name, FreezeAwareInstant::now());
            return stale.ok_or(GetError::Busy);
        };
        let result = match result.wait_for(Option::is_some).await {
            Ok(result) => result.clone(),
            Err(_) => None,
        };
        match result {
            Some(Ok(served)) => Ok(served),
            Some(Err(error)) => {
                let now = FreezeAwareInstant::now();
                let stale = self.lock().store.stale_or(name, error, now);
                stale.map_err(GetError::Source)
            }
            // The task was aborted.
            None => Err(GetError::Busy),
        }
    }

    /// Starts to fetch a value unless this is already in flight. Returns `None` if there are too many fetches.
    fn start_fetch(
        self: &Arc<Self>,
        name: &SecretName,
    ) -> Option<watch::Receiver<Option<FetchResult>>> {
        let mut state = self.lock();
        // The result has no sender if the task has panicked.
        if let Some(result) = state.in_flight.get(name)
            && result.has_changed().is_ok()
        {
            return Some(result.clone());
        }
        while state.tasks.try_join_next().is_some() {}
        if state.is_shut_down || state.in_flight.len() >= MAX_FETCHES {
            return None;
        }
        let (sender, result) = watch::channel(None);
        state.in_flight.insert(name.clone(), result.clone());
        let (cache, name) = (Arc::clone(self), name.clone());
        state.tasks.spawn(async move {
            let fetched = cache.fetch_in_time(&name).await;
            sender.send_replace(Some(cache.finish(&name, fetched)));
            cache.wake();
        });
        Some(result)
    }

    /// Asks the source, and once more if a freeze made the first attempt useless.
    async fn fetch_in_time(&self, name: &SecretName) -> Attempt {
        let attempt = self.fetch_once(name).await;
        let is_useless = match attempt.result {
            Ok(_) => attempt.start.elapsed(FreezeAwareInstant::now()) >= self.ttl,
            Err(_) => true,
        };
        match attempt.was_frozen && is_useless {
            true => self.fetch_once(name).await,
            false => attempt,
        }
    }

    async fn fetch_once(&self, name: &SecretName) -> Attempt {
        let start = FreezeAwareInstant::now();
        let fetch = catch_panic(self.source.fetch(name));
        let waited = wait(self.timeout, fetch).await;
        let result = match waited.output {
            Some(Some(Ok(fetched))) if fetched.value.len() > MAX_VALUE_BYTES => {
                let message = format!("the value is larger than {MAX_VALUE_BYTES} bytes");
                Err(SourceError::failed(message))
            }
            Some(Some(result)) => result,
            Some(None) => Err(SourceError::failed("the source panicked")),
            None => {
                let timeout = duration::format(self.timeout);
                let message = format!("the source did not respond within {timeout}");
                Err(SourceError::timed_out(message))
            }
        };
        Attempt {
            start,
            was_frozen: waited.was_frozen,
            result,
        }
    }

    /// Stores the result of a fetch.
    fn finish(&self, name: &SecretName, attempt: Attempt) -> FetchResult {
        let Attempt { start, result, .. } = attempt;
        if let Err(error) = &result {
            self.log(name, error);
        }
        let mut state = self.lock();
        state.in_flight.remove(name);
        if state.is_shut_down {
            // Nothing would remove the value.
            return Err(SourceError::failed("the extension shuts down"));
        }
        match result {
            Ok(fetched) => Ok(state.store.insert(name, fetched, start)),
            Err(error) => {
                let now = FreezeAwareInstant::now();
                state.store.insert_failure(name, error.clone(), now);
                Err(error)
            }
        }
    }

    /// Fetches values before they are requested, and waits until that is done.
    pub(crate) async fn prefetch(self: &Arc<Self>, names: &[SecretName]) {
        // The limit on fetches at the same time applies here too.
        for names in names.chunks(MAX_FETCHES) {
            let results: Vec<_> = names.iter().map(|name| self.start_fetch(name)).collect();
            for mut result in results.into_iter().flatten() {
                // A failure has been logged, and an error means that the task was aborted.
                let _ = result.wait_for(Option::is_some).await;
            }
        }
    }

    /// Refreshes values that are in use shortly before they expire, and removes those that cannot be used. Runs until it is
    /// dropped.
    pub(crate) async fn refresh_in_background(self: Arc<Self>) {
        loop {
            let now = FreezeAwareInstant::now();
            let due = self.lock().store.due(now);
            for name in due {
                // If there are too many fetches, the end of one of them wakes this task.
                let _ = self.start_fetch(&name);
            }
            let next = {
                let state = self.lock();
                let in_flight = |name: &SecretName| state.in_flight.contains_key(name);
                state.store.next_due(now, in_flight)
            };
            match next {
                Some(next) => {
                    let next = next.max(SHORTEST_WAIT);
                    drop(timeout(next, self.changed.notified()).await);
                }
                None => self.changed.notified().await,
            }
        }
    }

    /// Lets the background task look at the clock. Timers stand still in a freeze.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Aborts the fetches that are in flight, removes all values, and waits until that is done.
    pub(crate) async fn shut_down(&self) {
        let mut tasks = self.abort();
        tasks.shutdown().await;
    }

    /// Aborts the fetches that are in flight, which end at their next `.await`, and removes all values.
    pub(crate) fn abort(&self) -> JoinSet<()> {
        let mut state = self.lock();
        state.is_shut_down = true;
        state.store.clear();
        let mut tasks = std::mem::take(&mut state.tasks);
        tasks.abort_all();
        tasks
    }

    fn look_up(&self, name: &SecretName) -> Lookup {
        let now = FreezeAwareInstant::now();
        self.lock().store.look_up(name, now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs a failure, at most one per second.
    fn log(&self, name: &SecretName, error: &SourceError) {
        let throttle = self.log_throttle.lock();
        let mut throttle = throttle.unwrap_or_else(PoisonError::into_inner);
        if throttle.admit(Instant::now()) {
            tracing::warn!(target: TARGET, "cannot fetch the secret `{name}`: {error}");
        }
    }
}

/// Returns the output of a future, or `None` if it panics.
async fn catch_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        },
    )
    .await
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}
