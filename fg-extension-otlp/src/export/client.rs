//! The HTTP client of one signal.

use std::sync::Arc;
use std::time::Duration;

use fg_extension::Error;
use fg_util::error::{chain, one_line};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::http::uri::Scheme;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy;

use super::clock::{FreezeAwareInstant, TimeLimit};
use super::compression::compress;
use super::connector::{ConnectionPool, Connector, OwnReceiver};
use super::hint;
use super::request::PROTOBUF;
use super::response::ExportResult;
use super::secrets::{SecretHeaders, Secrets};
use crate::config::{Compression, SignalConfig};
use crate::diagnostic::Diagnostic;
use crate::shown_url::{keys, shown_url};
use crate::signal::Signal;

/// The form that the specification recommends: exporter, language, and version.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!(
    "FG-Extension-OTLP-Exporter-Rust/",
    env!("CARGO_PKG_VERSION")
));

/// A connection that has been idle for longer is not reused: the collector, or a device on the way to it, may have
/// dropped the connection while the process was frozen.
const MAX_IDLE: Duration = Duration::from_secs(3);

/// The maximum size of a response body, which contains a count and a message, or an error page.
const MAX_BODY_BYTES: usize = 64 << 10;
/// The minimum length of a header value or a query that is masked in messages.
const MIN_SECRET_CHARS: usize = 8;
/// How long the body of a response may take after the status has arrived, within the timeout of the request.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait for a response after the process thaws, if the timeout has passed by then. A response that arrived
/// in the meantime is read at once, and a connection that broke without a sign must not hold up the next requests.
const GRACE_AFTER_FREEZE: Duration = Duration::from_secs(1);

/// Sends the requests of one signal, one at a time.
pub(super) struct OtlpClient {
    signal: Signal,
    config: SignalConfig,
    connector: Connector,
    /// `None` if no header contains a secret. Otherwise, the headers in `config` are those of the latest request.
    secret_headers: Option<SecretHeaders>,
    /// Whether there has been a response to any request.
    has_responded: bool,
    /// The pool of the previous request.
    pool: Option<TrustedPool>,
}

/// A pool whose connections were used recently enough to be reused.
struct TrustedPool {
    connections: ConnectionPool,
    last_used: FreezeAwareInstant,
    /// Whether the pool may contain a connection that has served a request.
    has_served: bool,
}

impl OtlpClient {
    /// Creates a client.
    ///
    /// # Errors
    ///
    /// Returns an error if the certificates cannot be read.
    pub(super) fn new(
        signal: Signal,
        config: SignalConfig,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Self, Error> {
        Ok(Self {
            connector: Connector::new(&config, diagnostics)?,
            signal,
            config,
            secret_headers: None,
            has_responded: false,
            pool: None,
        })
    }

    /// Adds the headers that contain secrets, if there are any.
    pub(super) fn with_secrets(mut self, secrets: &Arc<Secrets>) -> Self {
        let templates = std::mem::take(&mut self.config.secret_headers);
        if !templates.is_empty() {
            let plain = self.config.headers.clone();
            self.secret_headers = Some(SecretHeaders::new(secrets, plain, templates));
        }
        self
    }

    /// Returns the URL of the endpoint without secrets.
    pub(super) fn endpoint(&self) -> String {
        shown_url(&self.config.endpoint.to_string())
    }

    /// Sends an encoded `Export…ServiceRequest`. If a header contains a secret and the collector rejects it, gets the current
    /// value and tries once more.
    pub(super) async fn export(&mut self, request: Vec<u8>) -> ExportResult {
        let body = match compress(self.config.compression, request).await {
            Ok(body) => body,
            Err(error) => {
                let reason = format!("cannot compress the request: {error}");
                return ExportResult::Rejected { reason };
            }
        };
        let Some(headers) = &mut self.secret_headers else {
            return self.try_export(body).await.0;
        };
        match headers.current().await {
            Ok(Some(current)) => self.config.headers = current,
            Ok(None) => {}
            Err(reason) => return ExportResult::retryable(reason),
        }
        let (result, status) = self.try_export(body.clone()).await;
        let is_rejected = matches!(
            status,
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        );
        let Some(headers) = self.secret_headers.as_mut().filter(|_| is_rejected) else {
            return result;
        };
        match headers.renewed().await {
            Ok(Some(renewed)) => {
                self.config.headers = renewed;
                self.try_export(body).await.0
            }
            Ok(None) => result.with_note("; the secrets cache has no newer value"),
            Err(reason) => {
                let status = status.map_or(String::new(), |status| format!("status {status}; "));
                ExportResult::retryable(format!("{status}{reason}"))
            }
        }
    }

    /// Sends a compressed request, and also returns the status of the response, if there was one.
    async fn try_export(&mut self, body: Bytes) -> (ExportResult, Option<StatusCode>) {
        let timeout = self.config.timeout;
        let mut limit = TimeLimit::with_grace_after_freeze(timeout, GRACE_AFTER_FREEZE);
        let reason = match limit.wait(self.send(body)).await {
            Some(Ok(response)) => {
                self.has_responded = true;
                limit.shorten(BODY_TIMEOUT);
                let status = response.status();
                let result = self.read(response, limit).await;
                if let Some(pool) = &mut self.pool {
                    pool.has_served = true;
                    pool.last_used = FreezeAwareInstant::now();
                }
                return (result.with_note(&self.proxy_note()), Some(status));
            }
            Some(Err(error)) if is_own_receiver(&error) => {
                let reason = "this is the extension's own receiver; set FG_OTLP_ENDPOINT to the URL of a collector";
                let reason = reason.to_owned();
                return (ExportResult::Rejected { reason }, None);
            }
            Some(Err(error)) => {
                // The prefix of hyper's client adds no information.
                let reason = chain(&error);
                let reason = match reason.split_once("): ") {
                    Some((prefix, reason)) if prefix.starts_with("client error (") => reason,
                    _ => &reason,
                };
                let reason = one_line(reason);
                let may_use_tls = !self.is_tls() && !self.has_responded && !error.is_connect();
                let hint = hint::for_error(&error, &self.config.endpoint);
                match hint.or_else(|| may_use_tls.then_some(hint::MAY_USE_TLS)) {
                    Some(hint) => format!("{reason}; {hint}"),
                    None => reason,
                }
            }
            None => format!("no response within {timeout:?}"),
        };
        self.pool = None;
        let failure = ExportResult::retryable(reason);
        (failure.with_note(&self.proxy_note()), None)
    }

    /// Returns a note for messages about failures, which names the proxy, or an empty string.
    fn proxy_note(&self) -> String {
        match &self.config.proxy {
            Some(proxy) => format!(", through the proxy {} of {}", proxy.host(), proxy.setting),
            None => String::new(),
        }
    }

    /// Sends a request, and repeats it if the reused connection turns out to be closed.
    async fn send(&mut self, body: Bytes) -> Result<Response<Incoming>, legacy::Error> {
        let has_served = self.pool(FreezeAwareInstant::now()).has_served;
        match self.post(body.clone()).await {
            // The connection was closed while it was idle, so this does not mean that the collector is down.
            Err(error) if has_served && !error.is_connect() => {
                self.pool = None;
                self.post(body).await
            }
            response => response,
        }
    }

    fn post(&mut self, body: Bytes) -> legacy::ResponseFuture {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.config.endpoint.clone();
        let headers = request.headers_mut();
        headers.clone_from(&self.config.headers);
        headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
        headers.insert(header::CONTENT_TYPE, PROTOBUF);
        if let Some(proxy) = self.config.proxy.as_ref().filter(|_| !self.is_tls())
            && let Some(authorization) = &proxy.authorization
        {
            headers.insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        if self.config.compression == Compression::Gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        self.pool(FreezeAwareInstant::now())
            .connections
            .request(request)
    }

    fn is_tls(&self) -> bool {
        self.config.endpoint.scheme() == Some(&Scheme::HTTPS)
    }

    /// Returns the pool of the previous request if it is recent enough, or else a new one.
    fn pool(&mut self, now: FreezeAwareInstant) -> &mut TrustedPool {
        // Considers both clocks, unlike the idle timeout of hyper's own pool.
        self.pool
            .take_if(|pool| pool.last_used.elapsed(now) > MAX_IDLE);
        self.pool.get_or_insert_with(|| TrustedPool {
            connections: self.connector.pool(),
            last_used: now,
            has_served: false,
        })
    }

    /// Closes all connections, so that the next request uses a new one.
    pub(super) fn forget_connections(&mut self) {
        self.pool = None;
    }

    /// Reads the response, and waits for its body within the limit.
    async fn read(&mut self, response: Response<Incoming>, mut limit: TimeLimit) -> ExportResult {
        let (head, body) = response.into_parts();
        // The status is known by now, so a body that is cut off or stalls is treated as empty.
        let body = Limited::new(body, MAX_BODY_BYTES).collect();
        let body = match limit.wait(body).await {
            Some(Ok(body)) => body.to_bytes(),
            Some(Err(_)) | None => Bytes::new(),
        };
        if head.status == StatusCode::UNSUPPORTED_MEDIA_TYPE
            && self.config.compression == Compression::Gzip
        {
            self.config.compression = Compression::None;
            let reason = format!("status {}", head.status);
            return ExportResult::CompressionRejected { reason };
        }
        let secrets: Vec<&str> = self.secrets().collect();
        ExportResult::from_response(self.signal, &head, &body, &secrets)
    }

    /// Returns what a response may quote, and messages must not: the query, keys in the path, and the values of
    /// headers.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let query = self.config.endpoint.query();
        let parameters = query.into_iter().flat_map(|query| query.split('&'));
        let parameters = parameters.filter_map(|pair| Some(pair.split_once('=')?.1));
        let proxy = self.config.proxy.iter();
        let headers = self.config.headers.values();
        let headers = headers.chain(proxy.filter_map(|proxy| proxy.authorization.as_ref()));
        // The key may be only one word, after another such as `Bearer`.
        let words = headers.filter_map(|value| value.to_str().ok());
        let words = words.flat_map(|value| value.split(' '));
        // A short value is not a key, and may occur in any message.
        let in_path = keys(self.config.endpoint.path());
        let secrets = query.into_iter().chain(parameters).chain(in_path);
        let in_headers = self.secret_headers.iter().flat_map(SecretHeaders::values);
        let secrets = secrets.chain(words).chain(in_headers);
        secrets.filter(|secret| secret.len() >= MIN_SECRET_CHARS)
    }
}

fn is_own_receiver(error: &legacy::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.is::<OwnReceiver>() {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn connections_are_not_reused_after_a_freeze() {
        let config = Config::from_variables(|_| None::<&str>).unwrap().unwrap();
        let config = config.signal(Signal::Traces).cloned().unwrap();
        let mut client = OtlpClient::new(Signal::Traces, config, &mut Vec::new()).unwrap();
        let now = FreezeAwareInstant::now();
        client.pool(now).has_served = true;
        assert!(client.pool(now.after_freeze(MAX_IDLE)).has_served);
        let thawed = now.after_freeze(MAX_IDLE + Duration::from_millis(1));
        assert!(!client.pool(thawed).has_served);
    }
}
