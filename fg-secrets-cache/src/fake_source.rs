//! A source for tests, which does what the test says.

use std::future::pending;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::source::{Fetched, SecretName, Source, SourceError};

/// What the source does when a value is fetched.
#[derive(Clone, Debug)]
pub(crate) enum Behavior {
    Value(&'static str),
    Fail(SourceError),
    Hang,
    Panic,
}

/// A source whose behavior can be changed. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct FakeSource(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    behavior: Mutex<Behavior>,
    /// The names that were fetched.
    fetched: watch::Sender<Vec<SecretName>>,
    /// The version of each value.
    version: Mutex<&'static str>,
}

impl FakeSource {
    pub(crate) fn new(behavior: Behavior) -> Self {
        Self(Arc::new(Shared {
            behavior: Mutex::new(behavior),
            fetched: watch::channel(Vec::new()).0,
            version: Mutex::new("1"),
        }))
    }

    pub(crate) fn set(&self, behavior: Behavior) {
        *self.0.behavior.lock().unwrap() = behavior;
    }

    /// Changes the version, which means that values with another one have changed.
    pub(crate) fn set_version(&self, version: &'static str) {
        *self.0.version.lock().unwrap() = version;
    }

    /// Returns how many fetches have started.
    pub(crate) fn fetches(&self) -> usize {
        self.0.fetched.borrow().len()
    }

    /// Waits until so many fetches have started.
    pub(crate) async fn wait_for_fetches(&self, count: usize) {
        let mut fetched = self.0.fetched.subscribe();
        fetched.wait_for(|it| it.len() >= count).await.unwrap();
    }
}

impl Source for FakeSource {
    async fn fetch(&self, name: &SecretName) -> Result<Fetched, SourceError> {
        self.0.fetched.send_modify(|it| it.push(name.clone()));
        let behavior = self.0.behavior.lock().unwrap().clone();
        match behavior {
            Behavior::Value(value) => Ok(Fetched::new(value.as_bytes().to_vec())
                .with_version(*self.0.version.lock().unwrap())),
            Behavior::Fail(error) => Err(error),
            Behavior::Hang => pending().await,
            Behavior::Panic => panic!("the source has a fault"),
        }
    }

    async fn has_changed(&self, _: &SecretName, version: Option<&str>) -> bool {
        version != Some(*self.0.version.lock().unwrap())
    }
}
