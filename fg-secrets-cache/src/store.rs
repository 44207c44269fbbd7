//! The values in memory: how old they are, which are refreshed, and which are removed. It does no I/O.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use fg_util::backoff::Backoff;
use hyper::body::Bytes;

use crate::clock::FreezeAwareInstant;
use crate::source::{Fetched, SecretName, SourceError, SourceErrorKind};

/// The maximum number of names, including those whose fetch has failed.
const MAX_ENTRIES: usize = 1000;

/// The maximum size of all values.
const MAX_BYTES: usize = 4 << 20;

/// The maximum size of one value.
pub(crate) const MAX_VALUE_BYTES: usize = 256 << 10;

/// How long a value is not fetched again after the source has responded that it does not exist, or denied access.
const NEGATIVE_PAUSE: Duration = Duration::from_secs(5);

/// How long a value is not fetched again after the source has failed, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a value is used after it was fetched, even if a client says that it is out of date.
const EXPIRY_PAUSE: Duration = Duration::from_secs(5);

/// How long before its expiry a value is refreshed, at most. It is a fifth of a short time to live.
const LONGEST_MARGIN: Duration = Duration::from_secs(30);

/// For how long values can be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    /// `FG_SECRETS_TTL`
    pub(crate) ttl: Duration,
    /// `FG_SECRETS_STALE`: how long after that, while the source fails.
    pub(crate) stale: Duration,
}

/// A value with its version. The memory is shared by its clones, and overwritten with zeros when the last one is dropped.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) value: Bytes,
    pub(crate) version: Option<String>,
}

/// A value that is sent to a client.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) secret: Secret,
    pub(crate) age: Duration,
    /// Whether the value has expired, and there is no newer one.
    pub(crate) is_stale: bool,
}

/// What to do about a request.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// The value has not expired.
    Fresh {
        served: Served,
        /// Whether this is the first request since the value was fetched.
        is_first: bool,
    },
    /// A recent fetch has failed, so there is no other one yet.
    Recent(Result<Served, SourceError>),
    /// The value has to be fetched.
    Fetch,
}

/// The values. Not more than a maximum of entries and bytes: those that were used least recently are removed.
pub(crate) struct Store {
    lifetimes: Lifetimes,
    entries: HashMap<SecretName, Entry>,
    bytes: usize,
    /// Counts requests, to know which value was used least recently.
    uses: u64,
}

#[derive(Default)]
struct Entry {
    value: Option<Value>,
    failure: Option<Failure>,
    last_use: u64,
}

struct Value {
    secret: Secret,
    /// When the fetch started: it may have taken long, and the process may have been frozen during it.
    fetched_at: FreezeAwareInstant,
    /// Whether the source says that it has another value.
    is_outdated: bool,
    /// Whether it was requested again since it was fetched. Other values are not refreshed in the background.
    is_used: bool,
}

struct Failure {
    error: SourceError,
    at: FreezeAwareInstant,
    pause: Duration,
    backoff: Backoff,
}

impl Store {
    pub(crate) fn new(lifetimes: Lifetimes) -> Self {
        Self {
            lifetimes,
            entries: HashMap::new(),
            bytes: 0,
            uses: 0,
        }
    }

    /// Returns what to do about a request for a secret, and records its use.
    pub(crate) fn look_up(&mut self, name: &SecretName, now: FreezeAwareInstant) -> Lookup {
        self.uses += 1;
        let Some(entry) = self.entries.get_mut(name) else {
            return Lookup::Fetch;
        };
        entry.last_use = self.uses;
        if let Some(value) = &mut entry.value {
            let is_first = !std::mem::replace(&mut value.is_used, true);
            if !value.is_outdated && value.fetched_at.elapsed(now) < self.lifetimes.ttl {
                let served = value.serve(now, false);
                return Lookup::Fresh { served, is_first };
            }
        }
        match &entry.failure {
            Some(failure) if failure.is_recent(now) => {
                let error = failure.error.clone();
                Lookup::Recent(self.stale_or(name, error, now))
            }
            _ => Lookup::Fetch,
        }
    }

    /// Returns the expired value if the source has failed for a reason that may pass, or else the error.
    pub(crate) fn stale_or(
        &self,
        name: &SecretName,
        error: SourceError,
        now: FreezeAwareInstant,
    ) -> Result<Served, SourceError> {
        match is_final(&error) {
            true => Err(error),
            false => self.stale(name, now).ok_or(error),
        }
    }

    /// Returns the expired value if it may still be used.
    pub(crate) fn stale(&self, name: &SecretName, now: FreezeAwareInstant) -> Option<Served> {
        let value = self.entries.get(name)?.value.as_ref()?;
        let is_usable = self.is_usable(value, now);
        is_usable.then(|| value.serve(now, true))
    }

    /// Makes a value expire because a client says that it is out of date, unless it was fetched only a few seconds ago: a
    /// client must not be able to overload the source.
    pub(crate) fn expire(&mut self, name: &SecretName, now: FreezeAwareInstant) {
        let value = self.entries.get(name).and_then(|it| it.value.as_ref());
        if value.is_some_and(|value| value.fetched_at.elapsed(now) >= EXPIRY_PAUSE) {
            self.mark_outdated(name);
        }
    }

    /// Makes a value expire before its time to live is over.
    pub(crate) fn mark_outdated(&mut self, name: &SecretName) {
        let entry = self.entries.get_mut(name);
        if let Some(value) = entry.and_then(|it| it.value.as_mut()) {
            value.is_outdated = true;
        }
    }

    /// Stores a value whose fetch started at `fetched_at`, and removes others if there are too many.
    pub(crate) fn insert(
        &mut self,
        name: &SecretName,
        fetched: Fetched,
        fetched_at: FreezeAwareInstant,
    ) -> Served {
        let secret = Secret {
            value: Bytes::from_owner(fetched.value),
            version: fetched.version,
        };
        let value = Value {
            secret,
            fetched_at,
            is_outdated: false,
            is_used: false,
        };
        let served = value.serve(FreezeAwareInstant::now(), false);
        let previous = self.remove(name);
        self.bytes += value.secret.value.len();
        let entry = Entry {
            value: Some(value),
            failure: None,
            // A refresh in the background is not a use.
            last_use: previous.map_or(self.uses, |it| it.last_use),
        };
        self.entries.insert(name.clone(), entry);
        self.evict(name);
        served
    }

    /// Records that a fetch has failed.
    pub(crate) fn insert_failure(
        &mut self,
        name: &SecretName,
        error: SourceError,
        now: FreezeAwareInstant,
    ) {
        let is_final = is_final(&error);
        let mut entry = self.remove(name).unwrap_or(Entry {
            last_use: self.uses,
            ..Entry::default()
        });
        if is_final {
            entry.value = None;
        }
        let previous = entry.failure.take().map(|failure| failure.backoff);
        let mut backoff = previous.unwrap_or(Backoff::new(FIRST_PAUSE, LONGEST_PAUSE));
        let pause = match is_final {
            true => NEGATIVE_PAUSE,
            false => backoff.next_pause(),
        };
        entry.failure = Some(Failure {
            error,
            at: now,
            pause,
            backoff,
        });
        self.bytes += entry.bytes();
        self.entries.insert(name.clone(), entry);
        self.evict(name);
    }

    /// Removes the values that can no longer be used, and returns the names of those that have to be refreshed.
    pub(crate) fn due(&mut self, now: FreezeAwareInstant) -> Vec<SecretName> {
        let expired: Vec<SecretName> = self
            .entries
            .iter()
            .filter(|(_, entry)| !self.is_needed(entry, now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in expired {
            self.remove(&name);
        }
        let is_due = |entry: &Entry| self.refresh_in(entry, now) == Some(Duration::ZERO);
        let due = self.entries.iter().filter(|(_, entry)| is_due(entry));
        due.map(|(name, _)| name.clone()).collect()
    }

    /// Returns how long it takes until [`due`](Self::due) should be called again, or `None` if there are no values.
    ///
    /// `is_in_flight` says for which names this is not needed, because they are being fetched.
    pub(crate) fn next_due(
        &self,
        now: FreezeAwareInstant,
        is_in_flight: impl Fn(&SecretName) -> bool,
    ) -> Option<Duration> {
        let lifetime = self.lifetimes.ttl + self.lifetimes.stale;
        let due_in = |entry: &Entry| {
            let removal = match (&entry.value, &entry.failure) {
                (Some(value), _) => lifetime.saturating_sub(value.fetched_at.elapsed(now)),
                (None, Some(failure)) => failure.pause.saturating_sub(failure.at.elapsed(now)),
                (None, None) => Duration::ZERO,
            };
            let refresh = self.refresh_in(entry, now);
            refresh.map_or(removal, |refresh| refresh.min(removal))
        };
        let entries = self.entries.iter().filter(|(name, _)| !is_in_flight(name));
        entries.map(|(_, entry)| due_in(entry)).min()
    }

    /// Returns the number of names.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Removes all values.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// Returns how long it takes until the entry has to be refreshed, or `None` if it does not have to be.
    fn refresh_in(&self, entry: &Entry, now: FreezeAwareInstant) -> Option<Duration> {
        let value = entry.value.as_ref().filter(|value| value.is_used)?;
        let ttl = self.lifetimes.ttl;
        let refresh_at = ttl - (ttl / 5).min(LONGEST_MARGIN);
        let refresh = refresh_at.saturating_sub(value.fetched_at.elapsed(now));
        let pause = entry.failure.as_ref().map_or(Duration::ZERO, |failure| {
            failure.pause.saturating_sub(failure.at.elapsed(now))
        });
        Some(refresh.max(pause))
    }

    fn is_needed(&self, entry: &Entry, now: FreezeAwareInstant) -> bool {
        match (&entry.value, &entry.failure) {
            (Some(value), _) => self.is_usable(value, now),
            (None, Some(failure)) => failure.is_recent(now),
            (None, None) => false,
        }
    }

    /// Returns whether the value may be served, at least while the source fails.
    fn is_usable(&self, value: &Value, now: FreezeAwareInstant) -> bool {
        value.fetched_at.elapsed(now) < self.lifetimes.ttl + self.lifetimes.stale
    }

    fn remove(&mut self, name: &SecretName) -> Option<Entry> {
        let entry = self.entries.remove(name)?;
        self.bytes -= entry.bytes();
        Some(entry)
    }

    /// Removes what was used least recently while there is too much, except for one name.
    fn evict(&mut self, kept: &SecretName) {
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let others = self.entries.iter().filter(|(name, _)| *name != kept);
            let oldest = others.min_by_key(|(_, entry)| entry.last_use);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else {
                return;
            };
            self.remove(&name);
        }
    }
}

/// Returns whether the source has responded that the value must not be used anymore.
fn is_final(error: &SourceError) -> bool {
    matches!(
        error.kind(),
        SourceErrorKind::NotFound | SourceErrorKind::Denied
    )
}

impl Entry {
    fn bytes(&self) -> usize {
        self.value.as_ref().map_or(0, |it| it.secret.value.len())
    }
}

impl Value {
    fn serve(&self, now: FreezeAwareInstant, is_stale: bool) -> Served {
        Served {
            secret: self.secret.clone(),
            age: self.fetched_at.elapsed(now),
            is_stale,
        }
    }
}

impl Failure {
    fn is_recent(&self, now: FreezeAwareInstant) -> bool {
        self.at.elapsed(now) < self.pause
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
