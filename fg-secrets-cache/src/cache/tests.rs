//! Tests of the cache with a source that fails, hangs, panics and rotates.

use std::future::poll_fn;
use std::task::Poll;

use tokio::time::sleep;

use super::*;
use crate::clock::freeze;
use crate::fake_source::{Behavior, FakeSource};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(300);
const STALE: Duration = Duration::from_secs(600);
const TIMEOUT: Duration = Duration::from_secs(5);

fn cache(source: &FakeSource) -> Arc<Cache> {
    let lifetimes = Lifetimes {
        ttl: TTL,
        stale: STALE,
    };
    Cache::new(Box::new(source.clone()), lifetimes, TIMEOUT)
}

fn name(name: &str) -> SecretName {
    SecretName::new(name).unwrap()
}

/// Returns the value of the secret `a`, with a `*` after a stale one.
async fn get(cache: &Arc<Cache>) -> Result<String, GetError> {
    let served = cache.get(&name("a")).await?;
    let value = String::from_utf8(served.secret.value.to_vec()).unwrap();
    Ok(if served.is_stale { value + "*" } else { value })
}

fn failed() -> SourceError {
    SourceError::failed("the source is down")
}

fn source_error(error: SourceError) -> Result<String, GetError> {
    Err(GetError::Source(error))
}

fn value(value: &str) -> Result<String, GetError> {
    Ok(value.to_owned())
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_share_one_fetch() {
    let source = FakeSource::new(Behavior::Value("1"));
    let cache = cache(&source);
    let mut gets = JoinSet::new();
    for _ in 0..20 {
        let cache = Arc::clone(&cache);
        gets.spawn(async move { get(&cache).await });
    }
    for result in gets.join_all().await {
        assert_eq!(result, value("1"));
    }
    assert_eq!(source.fetches(), 1);
    // A client that disconnects does not stop the fetch for the others.
    source.set(Behavior::Value("2"));
    sleep(TTL).await;
    let mut canceled = Box::pin(get(&cache));
    let polled = poll_fn(|cx| Poll::Ready(canceled.as_mut().poll(cx))).await;
    assert_eq!(polled, Poll::Pending);
    drop(canceled);
    assert_eq!(get(&cache).await, value("2"));
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn value_is_used_until_it_expires() {
    let source = FakeSource::new(Behavior::Value("1"));
    let cache = cache(&source);
    assert_eq!(get(&cache).await, value("1"));
    source.set(Behavior::Value("2"));
    sleep(TTL - SECOND).await;
    let served = cache.get(&name("a")).await.unwrap();
    assert_eq!(&*served.secret.value, b"1");
    assert_eq!(served.age.as_secs(), TTL.as_secs() - 1);
    sleep(SECOND).await;
    assert_eq!(get(&cache).await, value("2"));
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn value_in_use_is_refreshed_before_it_expires() {
    let source = FakeSource::new(Behavior::Value("1"));
    let cache = cache(&source);
    let background = tokio::spawn(Arc::clone(&cache).refresh_in_background());
    for _ in 0..2 {
        assert_eq!(get(&cache).await, value("1"));
    }
    source.set(Behavior::Value("2"));
    sleep(TTL - SECOND).await;
    assert_eq!(source.fetches(), 2);
    assert_eq!(get(&cache).await, value("2"));
    // It was requested once more, so there is one more refresh. Then it is not in use.
    sleep(10 * TTL).await;
    assert_eq!(source.fetches(), 3);
    assert_eq!(cache.lock().store.len(), 0, "it was removed");
    background.abort();
}

#[tokio::test(start_paused = true)]
async fn freeze_counts_for_the_age_of_a_value() {
    let source = FakeSource::new(Behavior::Value("1"));
    let cache = cache(&source);
    let background = tokio::spawn(Arc::clone(&cache).refresh_in_background());
    for _ in 0..2 {
        assert_eq!(get(&cache).await, value("1"));
    }
    source.set(Behavior::Value("2"));
    freeze(TTL);
    // The timers stood still, so the invocation after the thaw wakes the background task.
    cache.wake();
    source.wait_for_fetches(2).await;
    assert_eq!(get(&cache).await, value("2"));
    freeze(TTL);
    source.set(Behavior::Value("3"));
    assert_eq!(get(&cache).await, value("3"));
    background.abort();
}

#[tokio::test(start_paused = true)]
async fn fetch_is_repeated_after_a_freeze() {
    let source = FakeSource::new(Behavior::Hang);
    let cache = cache(&source);
    let start = tokio::time::Instant::now();
    let thaw = async {
        source.wait_for_fetches(1).await;
        sleep(SECOND).await;
        source.set(Behavior::Value("1"));
        freeze(TTL);
    };
    let (got, ()) = tokio::join!(get(&cache), thaw);
    assert_eq!(got, value("1"));
    assert!(start.elapsed() < TIMEOUT / 2, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn stale_value_is_served_while_the_source_fails() {
    let source = FakeSource::new(Behavior::Value("1"));
    let cache = cache(&source);
    assert_eq!(get(&cache).await, value("1"));
    sleep(TTL).await;
    for behavior in [
        Behavior::Fail(failed()),
        Behavior::Hang,
        Behavior::Panic,
        Behavior::Fail(SourceError::timed_out("slow")),
    ] {
        source.set(behavior);
        assert_eq!(get(&cache).await, value("1*"));
        // Longer than the pause after a failure.
        sleep(31 * SECOND).await;
    }
    source.set(Behavior::Value("2"));
    assert_eq!(get(&cache).await, value("2"));
    source.set(Behavior::Fail(failed()));
    sleep(TTL + STALE - SECOND).await;
    assert_eq!(get(&cache).await, value("2*"));
    sleep(31 * SECOND).await;
    assert_eq!(get(&cache).await, source_error(failed()));
}

#[tokio::test(start_paused = true)]
async fn value_is_forgotten_if_the_source_says_so() {
    for error in [SourceError::not_found(), SourceError::denied("no")] {
        let source = FakeSource::new(Behavior::Value("1"));
        let cache = cache(&source);
        assert_eq!(get(&cache).await, value("1"));
        sleep(TTL).await;
        source.set(Behavior::Fail(error.clone()));
        assert_eq!(get(&cache).await, source_error(error));
        source.set(Behavior::Fail(failed()));
        sleep(31 * SECOND).await;
        assert_eq!(get(&cache).await, source_error(failed()));
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_remembered_for_a_short_time() {
    let source = FakeSource::new(Behavior::Fail(SourceError::not_found()));
    let cache = cache(&source);
    for _ in 0..20 {
        assert_eq!(get(&cache).await, source_error(SourceError::not_found()));
    }
    assert_eq!(source.fetches(), 1);
    source.set(Behavior::Fail(failed()));
    sleep(5 * SECOND).await;
    // The pauses become longer: 1 s, 2 s, 4 s, … up to 30 s, and each is shortened by up to half.
    for _ in 0..600 {
        assert_eq!(get(&cache).await, source_error(failed()));
        sleep(SECOND / 10).await;
    }
    let fetches = source.fetches() - 1;
    assert!((5..=12).contains(&fetches), "{fetches}");
    // A freeze ends a pause.
    freeze(31 * SECOND);
    source.set(Behavior::Value("1"));
    assert_eq!(get(&cache).await, value("1"));
}

#[tokio::test(start_paused = true)]
async fn changed_value_is_fetched_at_once() {
    let source = FakeSource::new(Behavior::Value("1"));
    let cache = cache(&source);
    assert_eq!(get(&cache).await, value("1"));
    source.set_version("2");
    source.set(Behavior::Fail(failed()));
    assert_eq!(get(&cache).await, value("1*"));
    source.set(Behavior::Value("2"));
    sleep(SECOND).await;
    assert_eq!(get(&cache).await, value("2"));
    assert_eq!(source.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn client_can_ask_for_the_value_of_the_source() {
    let source = FakeSource::new(Behavior::Value("1"));
    let cache = cache(&source);
    assert_eq!(get(&cache).await, value("1"));
    source.set(Behavior::Value("2"));
    cache.expire(&name("a"));
    assert_eq!(get(&cache).await, value("1"), "it was just fetched");
    sleep(5 * SECOND).await;
    cache.expire(&name("a"));
    assert_eq!(get(&cache).await, value("2"));
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn source_that_hangs_does_not_delay_others() {
    let source = FakeSource::new(Behavior::Hang);
    let cache = cache(&source);
    let names: Vec<_> = (0..MAX_FETCHES).map(|i| name(&format!("n{i}"))).collect();
    let mut hanging = JoinSet::new();
    for name in names {
        let cache = Arc::clone(&cache);
        hanging.spawn(async move { cache.get(&name).await });
    }
    source.wait_for_fetches(MAX_FETCHES).await;
    assert_eq!(get(&cache).await, Err(GetError::Busy));
    let (fetched, now) = (Fetched::new(b"old".to_vec()), FreezeAwareInstant::now());
    cache.lock().store.insert(&name("a"), fetched, now);
    cache.lock().store.mark_outdated(&name("a"));
    assert_eq!(get(&cache).await, value("old*"));
    cache.lock().store.clear();
    for result in hanging.join_all().await {
        let Err(GetError::Source(error)) = result else {
            panic!("{result:?}");
        };
        let expected = SourceError::timed_out("the source did not respond within 5s");
        assert_eq!(error, expected);
    }
    source.set(Behavior::Panic);
    assert_eq!(
        get(&cache).await,
        source_error(SourceError::failed("the source panicked"))
    );
    source.set(Behavior::Value("1"));
    sleep(SECOND).await;
    assert_eq!(get(&cache).await, value("1"));
}

#[tokio::test(start_paused = true)]
async fn shutdown_aborts_fetches() {
    let source = FakeSource::new(Behavior::Hang);
    let cache = cache(&source);
    let waiting = {
        let cache = Arc::clone(&cache);
        tokio::spawn(async move { get(&cache).await })
    };
    source.wait_for_fetches(1).await;
    let start = tokio::time::Instant::now();
    cache.shut_down().await;
    assert_eq!(waiting.await.unwrap(), Err(GetError::Busy));
    assert_eq!(get(&cache).await, Err(GetError::Busy));
    assert!(start.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn value_that_is_too_large_is_an_error() {
    let large: &'static str = Box::leak("x".repeat(MAX_VALUE_BYTES + 1).into_boxed_str());
    let source = FakeSource::new(Behavior::Value(large));
    let cache = cache(&source);
    let error = SourceError::failed("the value is larger than 262144 bytes");
    assert_eq!(get(&cache).await, source_error(error));
    source.set(Behavior::Value(&large[1..]));
    sleep(SECOND).await;
    assert_eq!(get(&cache).await, value(&large[1..]));
}

#[tokio::test(start_paused = true)]
async fn prefetched_values_are_there() {
    let source = FakeSource::new(Behavior::Value("1"));
    let cache = cache(&source);
    cache.prefetch(&[name("a"), name("b")]).await;
    assert_eq!(source.fetches(), 2);
    assert_eq!(get(&cache).await, value("1"));
    assert_eq!(source.fetches(), 2);
}
