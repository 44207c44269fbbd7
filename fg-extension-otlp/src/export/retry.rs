//! The retry rules: which requests are retried, and after which pause.

use std::time::{Duration, SystemTime};

use fg_util::backoff::Backoff;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap};

const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// The pauses of the last flush, whose time is limited.
const MIN_SHUTDOWN_PAUSE: Duration = Duration::from_millis(50);
const MAX_SHUTDOWN_PAUSE: Duration = Duration::from_millis(500);
/// A collector may ask for a longer pause, but not for longer than the data is likely to survive.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Returns the back-off between the attempts of one signal.
pub(super) fn backoff() -> Backoff {
    Backoff::new(MIN_PAUSE, MAX_PAUSE)
}

/// Returns the back-off between the attempts of one signal during the shutdown.
pub(super) fn shutdown_backoff() -> Backoff {
    Backoff::new(MIN_SHUTDOWN_PAUSE, MAX_SHUTDOWN_PAUSE)
}

/// Returns the pause before the next attempt: the pause that the collector asked for, followed by the back-off.
///
/// All clients that failed at the same time are asked for the same pause. The back-off, which has a random part, keeps
/// them from retrying at the same time.
pub(super) fn next_pause(backoff: &mut Backoff, retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or_default().min(MAX_RETRY_AFTER) + backoff.next_pause()
}

/// Returns whether a request that failed with this status is to be retried, according to the OTLP specification.
pub(super) fn is_retryable(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// Parses the header `Retry-After`: a number of seconds or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            Some(date.duration_since(now).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds() {
        let mut backoff = backoff();
        for full in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let (full, pause) = (Duration::from_millis(full), next_pause(&mut backoff, None));
            assert!(pause >= full / 2 && pause <= full, "{full:?}: {pause:?}");
        }
    }

    #[test]
    fn collector_may_ask_for_up_to_five_minutes() {
        for (requested, granted) in [(0, 0), (7, 7), (300, 300), (301, 300), (u64::MAX, 300)] {
            let granted = Duration::from_secs(granted);
            let pause = || next_pause(&mut backoff(), Some(Duration::from_secs(requested)));
            let pauses: std::collections::HashSet<_> = (0..100).map(|_| pause()).collect();
            assert!(pauses.len() > 50);
            for pause in pauses {
                let jitter = pause.checked_sub(granted).unwrap();
                assert!(
                    jitter >= MIN_PAUSE / 2 && jitter <= MIN_PAUSE,
                    "{requested}: {pause:?}"
                );
            }
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (value, seconds) in [
            ("7", Some(7)),
            ("Sun, 06 Nov 1994 08:49:49 GMT", Some(12)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers =
                HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(value))]);
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs));
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
