//! Secrets in headers. Their values come from the secrets cache beside the function.
//!
//! The cache is asked when a request is made, so it may start later than the forwarder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use fg_util::error::{chain, excerpt, one_line};
use fg_util::secrets::{
    PATH_PREFIX, STALE_HEADER, TOKEN_FILE_SETTING, TOKEN_HEADER, TOKEN_SETTING,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use tokio::sync::Mutex;

use super::clock::{FreezeAwareInstant, TimeLimit};
use super::connector::Connector;
use crate::config::{SecretHeader, SecretsConfig, TokenSource, ValuePart};

/// The cache is asked again for a value that is older.
const MAX_AGE: Duration = Duration::from_secs(60);
/// How long to wait for the cache, which may have to fetch the value first.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for the cache if an older value can be used instead. A shutdown takes only about a second.
const RENEWAL_TIMEOUT: Duration = Duration::from_millis(400);
/// How long an older value is used before the cache is asked again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);
/// How long to wait after a thaw, if the time has passed by then: the connection may be broken without a sign.
const GRACE_AFTER_FREEZE: Duration = Duration::from_millis(400);

/// The maximum size of a response of the cache.
const MAX_BODY_BYTES: usize = 64 << 10;
/// The maximum size of the file with the token.
const MAX_TOKEN_BYTES: u64 = 4 << 10;

/// The secrets of all signals.
pub(super) struct Secrets {
    config: SecretsConfig,
    slots: BTreeMap<String, Mutex<Slot>>,
}

/// What is known about one secret. A task that asks the cache holds the lock, so that the signals do not ask at the same time.
#[derive(Default)]
struct Slot {
    /// The latest value, and when it was asked for.
    value: Option<(Bytes, FreezeAwareInstant)>,
    /// Why the last attempt failed, and when. `None` if it succeeded.
    failure: Option<(String, FreezeAwareInstant)>,
    /// The value that the collector has rejected, and when it did so for the first time.
    rejected: Option<(Bytes, FreezeAwareInstant)>,
}

/// A value that the cache has responded with.
struct Asked {
    value: Bytes,
    /// How long ago the cache fetched it, in whole seconds. `None` if it does not say so.
    age: Option<Duration>,
}

/// Which value is needed.
#[derive(Clone, Copy)]
enum Need<'a> {
    /// One that is less than a minute old or, if the cache does not respond, the latest one.
    Recent,
    /// The one that the source has now, since the collector rejected this one.
    After(&'a Bytes),
}

/// Why a secret cannot be had.
struct Failure {
    message: String,
    /// Whether an older value must not be used either.
    is_final: bool,
}

impl Secrets {
    /// Creates an empty store for the secrets in the headers.
    pub(super) fn new<'a>(
        config: &SecretsConfig,
        headers: impl Iterator<Item = &'a SecretHeader>,
    ) -> Arc<Self> {
        let names = headers.flat_map(names);
        Arc::new(Self {
            config: config.clone(),
            slots: names
                .map(|name| (name.to_owned(), Mutex::default()))
                .collect(),
        })
    }

    /// Returns the value of a secret.
    ///
    /// # Errors
    ///
    /// Returns an error message if it cannot be had.
    async fn get(&self, name: &str, need: Need<'_>) -> Result<Bytes, String> {
        let Some(slot) = self.slots.get(name) else {
            return Err(format!("unknown secret `{name}`"));
        };
        let wanted = FreezeAwareInstant::now();
        let mut slot = slot.lock().await;
        let now = FreezeAwareInstant::now();
        match (need, &slot.value) {
            (Need::Recent, Some((value, at))) => {
                let failed_at = slot.failure.as_ref().map(|(_, at)| at);
                let is_paused = failed_at.is_some_and(|at| at.elapsed(now) < RENEWAL_PAUSE);
                if at.elapsed(now) < MAX_AGE || is_paused {
                    return Ok(value.clone());
                }
            }
            // Another signal has renewed it.
            (Need::After(rejected), Some((value, _))) if value != rejected => {
                return Ok(value.clone());
            }
            _ => {}
        }
        // Another signal has failed while this one waited for the lock.
        if let Some((message, at)) = &slot.failure
            && at.monotonic() >= wanted.monotonic()
        {
            return Err(message.clone());
        }
        let older = slot.value.clone().map(|(value, _)| value);
        let older = older.filter(|_| matches!(need, Need::Recent));
        let timeout = match older {
            Some(_) => RENEWAL_TIMEOUT,
            None => TIMEOUT,
        };
        let asked = self.ask(name, need, timeout).await;
        let failure = match asked.and_then(|asked| slot.check(asked, need, wanted)) {
            Ok(value) => {
                slot.value = Some((value.clone(), now));
                slot.failure = None;
                return Ok(value);
            }
            Err(failure) => failure,
        };
        let message = format!("cannot get the secret `{name}`: {}", failure.message);
        slot.failure = Some((message.clone(), FreezeAwareInstant::now()));
        if failure.is_final {
            slot.value = None;
            return Err(message);
        }
        older.ok_or(message)
    }

    /// Asks the cache for a value, over a new connection, since an idle one may not survive a freeze.
    async fn ask(&self, name: &str, need: Need<'_>, timeout: Duration) -> Result<Asked, Failure> {
        let address = self.config.address;
        let cache = format!("the secrets cache at {address}");
        let mut request = Request::get(format!("http://{address}{PATH_PREFIX}{name}"))
            .header(TOKEN_HEADER, self.token()?);
        if matches!(need, Need::After(_)) {
            // The cache does not know that its value is out of date.
            request = request.header(header::CACHE_CONTROL, "no-cache");
        }
        let request = request
            .body(Full::default())
            .map_err(|error| error.to_string())?;
        let response = async {
            let response = Connector::plain().pool().request(request).await;
            let response = response.map_err(|error| chain(&error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
            let body = body.map_err(|error| chain(error.as_ref()))?;
            Ok::<_, String>((head.status, head.headers, body.to_bytes()))
        };
        let mut limit = TimeLimit::with_grace_after_freeze(timeout, GRACE_AFTER_FREEZE);
        let (status, headers, body) = match limit.wait(response).await {
            Some(Ok(response)) => response,
            Some(Err(error)) => {
                let reason = one_line(&error);
                return Err(format!("{cache} does not respond: {reason}; is it running?").into());
            }
            None => return Err(format!("{cache} did not respond within {timeout:?}").into()),
        };
        let is_stale = headers.contains_key(STALE_HEADER);
        if status == StatusCode::OK && is_stale && matches!(need, Need::After(_)) {
            let reason = "has no newer value, since its source fails";
            return Err(format!("{cache} {reason}").into());
        }
        if status == StatusCode::OK {
            let age = headers.get(header::AGE).and_then(|age| age.to_str().ok());
            return Ok(Asked {
                value: header_value(body)?,
                age: age.and_then(|age| age.parse().ok().map(Duration::from_secs)),
            });
        }
        let error: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let error = error["error"].as_str().unwrap_or("no reason given");
        let hint = match status {
            StatusCode::UNAUTHORIZED => format!(
                "; {TOKEN_SETTING} or {TOKEN_FILE_SETTING} must be the same for the cache and the forwarder"
            ),
            _ => String::new(),
        };
        let message = one_line(&excerpt(error));
        Err(Failure {
            message: format!("{cache} responded with status {status}: {message}{hint}"),
            is_final: status == StatusCode::NOT_FOUND,
        })
    }

    /// Returns the token. Its file is read each time, because each start of the cache writes another one.
    fn token(&self) -> Result<HeaderValue, Failure> {
        let path = match &self.config.token {
            TokenSource::Setting(token) => return Ok(token.clone()),
            TokenSource::File(path) => path,
        };
        let mut token = Vec::new();
        let read =
            File::open(path).and_then(|file| file.take(MAX_TOKEN_BYTES).read_to_end(&mut token));
        let shown = path.display();
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!(
                    "the file {shown} with the token of the secrets cache does not exist; is the cache running?"
                )
                .into());
            }
            Err(error) => {
                return Err(format!(
                    "cannot read the file {shown} with the token of the secrets cache: {error}"
                )
                .into());
            }
        }
        let token = HeaderValue::from_bytes(token.trim_ascii());
        let mut token = token.map_err(|_| {
            format!("the file {shown} does not contain a token of the secrets cache")
        })?;
        token.set_sensitive(true);
        Ok(token)
    }
}

impl Slot {
    /// Returns the value, unless it is the rejected one and the cache fetched it before the rejection: the cache does not ask
    /// its source again within a few seconds, and the source may have another value by then.
    fn check(
        &mut self,
        asked: Asked,
        need: Need<'_>,
        wanted: FreezeAwareInstant,
    ) -> Result<Bytes, Failure> {
        let Asked { value, age } = asked;
        let Need::After(rejected) = need else {
            return Ok(value);
        };
        let first = match &self.rejected {
            Some((value, first)) if value == rejected => *first,
            _ => wanted,
        };
        self.rejected = Some((rejected.clone(), first));
        // The age is rounded down.
        let age = age.map(|age| age + Duration::from_secs(1));
        let is_older = age.is_some_and(|age| age > first.elapsed(FreezeAwareInstant::now()));
        match is_older && value == rejected {
            true => Err("the secrets cache has not asked its source again yet"
                .to_owned()
                .into()),
            false => Ok(value),
        }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self {
            message,
            is_final: false,
        }
    }
}

/// Returns the value without a line break at its end, which editors and `echo` append, if a header can contain it.
fn header_value(value: Bytes) -> Result<Bytes, String> {
    let value = match value.strip_suffix(b"\n") {
        Some(line) => value.slice_ref(line.strip_suffix(b"\r").unwrap_or(line)),
        None => value,
    };
    if value.is_empty() {
        return Err("its value is empty".to_owned());
    }
    match HeaderValue::from_bytes(&value) {
        Ok(_) => Ok(value),
        Err(_) => Err(
            "its value cannot be sent in a header, because it contains a line break or another control character"
                .to_owned(),
        ),
    }
}

/// The headers of one signal, some of which contain secrets.
pub(super) struct SecretHeaders {
    secrets: Arc<Secrets>,
    /// The headers without secrets.
    plain: HeaderMap,
    templates: Vec<SecretHeader>,
    /// The values in the headers of the latest request, by the names of the secrets.
    used: BTreeMap<String, Bytes>,
}

impl SecretHeaders {
    pub(super) fn new(
        secrets: &Arc<Secrets>,
        plain: HeaderMap,
        templates: Vec<SecretHeader>,
    ) -> Self {
        Self {
            secrets: Arc::clone(secrets),
            plain,
            templates,
            used: BTreeMap::new(),
        }
    }

    /// Returns the headers for the next request, or `None` if they are those of the latest one.
    ///
    /// # Errors
    ///
    /// Returns an error message, without values, if a secret cannot be had.
    pub(super) async fn current(&mut self) -> Result<Option<HeaderMap>, String> {
        self.build(|_| Need::Recent).await
    }

    /// Does the same with the values that the source has now, because the collector rejected the headers.
    ///
    /// # Errors
    ///
    /// Returns an error message, without values, if a secret cannot be had.
    pub(super) async fn renewed(&mut self) -> Result<Option<HeaderMap>, String> {
        let used = self.used.clone();
        self.build(|name| used.get(name).map_or(Need::Recent, Need::After))
            .await
    }

    async fn build<'a>(
        &mut self,
        need: impl Fn(&str) -> Need<'a>,
    ) -> Result<Option<HeaderMap>, String> {
        let mut current = BTreeMap::new();
        for name in self.templates.iter().flat_map(names) {
            if !current.contains_key(name) {
                let value = self.secrets.get(name, need(name)).await?;
                current.insert(name.to_owned(), value);
            }
        }
        if current == self.used {
            return Ok(None);
        }
        let mut headers = self.plain.clone();
        for template in &self.templates {
            headers.append(&template.name, template.fill(&current)?);
        }
        self.used = current;
        Ok(Some(headers))
    }

    /// Returns the values that messages must not contain.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        let values = self.used.values();
        values.filter_map(|value| str::from_utf8(value).ok())
    }
}

impl SecretHeader {
    /// Returns the value of the header with these secrets.
    fn fill(&self, secrets: &BTreeMap<String, Bytes>) -> Result<HeaderValue, String> {
        let mut value = Vec::new();
        for part in &self.value {
            value.extend_from_slice(match part {
                ValuePart::Text(text) => text.as_bytes(),
                ValuePart::Secret(name) => secrets.get(name).map_or(&[], |value| value),
            });
        }
        let value = HeaderValue::from_maybe_shared(Bytes::from(value));
        let mut value = value.map_err(|_| format!("cannot send the header `{}`", self.name))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Returns the names of the secrets in a header.
fn names(header: &SecretHeader) -> impl Iterator<Item = &str> {
    header.value.iter().filter_map(|part| match part {
        ValuePart::Text(_) => None,
        ValuePart::Secret(name) => Some(name.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_left_out() {
        let value = |value: &'static str| header_value(Bytes::from_static(value.as_bytes()));
        for (text, expected) in [
            ("a", "a"),
            ("a\n", "a"),
            ("a\r\n", "a"),
            (" a b\t", " a b\t"),
            ("é", "é"),
        ] {
            assert_eq!(value(text).as_deref(), Ok(expected.as_bytes()), "{text:?}");
        }
        for text in ["a\n\n", "a\nb", "a\r", "\0", "\u{7f}", "a\r\nb: c"] {
            let error = value(text).unwrap_err();
            assert!(
                error.starts_with("its value cannot be sent in a header"),
                "{text:?}: {error}"
            );
        }
        for text in ["", "\n", "\r\n"] {
            assert_eq!(value(text).unwrap_err(), "its value is empty");
        }
    }
}
