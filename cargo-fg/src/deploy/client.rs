//! Sends signed requests to the API, and reads its responses.

use std::fmt;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use fg_signature::{Credentials, Request, sign};
use fg_util::backoff::Backoff;
use serde_json::Value;
use ureq::http;
use ureq::tls::TlsConfig;
use ureq::{Agent, Proxy};

use super::endpoint::Endpoint;
use super::place::variable;
use super::roots::root_certificates;
use crate::deploy::api_error::ApiError;

/// The longest response that is read: the code of a function in base64.
const MAX_RESPONSE: u64 = 150_000_000;

/// What some servers put in front of JSON.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The only header of a request that contains a secret.
const TOKEN_HEADER: &str = "X-Security-Token";

/// How often a request is sent at most, if it is safe to repeat.
const ATTEMPTS: u32 = 4;

/// A request to the API, as it is sent and as `--dry-run` prints it.
#[derive(Clone, Debug)]
pub(super) struct ApiRequest {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: Option<Value>,
}

impl ApiRequest {
    pub(super) fn get(path: String) -> Self {
        Self {
            method: "GET",
            path,
            query: String::new(),
            body: None,
        }
    }

    pub(super) fn with_query(mut self, query: String) -> Self {
        self.query = query;
        self
    }

    pub(super) fn with_body(method: &'static str, path: String, body: Value) -> Self {
        Self {
            method,
            path,
            query: String::new(),
            body: Some(body),
        }
    }

    /// Returns the headers that are sent and signed, besides those of the signature. `X-Project-Id` is that of the official SDKs;
    /// some regions require it (D: FunctionGraph, authentication).
    pub(super) fn headers<'a>(&self, project_id: &'a str) -> Vec<(&'static str, &'a str)> {
        let mut headers = vec![("X-Project-Id", project_id)];
        // All requests have a content type (D 0152, 0106), even those without a body.
        headers.push(("Content-Type", "application/json"));
        headers
    }
}

impl fmt::Display for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

pub(super) struct Client {
    agent: Agent,
    endpoint: Endpoint,
    project_id: String,
    credentials: Credentials,
}

impl Client {
    /// Creates a client.
    ///
    /// # Errors
    ///
    /// Returns an error if the root certificates cannot be read.
    pub(super) fn new(
        endpoint: Endpoint,
        project_id: &str,
        credentials: Credentials,
    ) -> anyhow::Result<Self> {
        let tls = TlsConfig::builder().root_certs(root_certificates()?);
        // A server on this machine is not reached through another one.
        let proxy = endpoint.is_https().then(Proxy::try_from_env).flatten();
        let agent = Agent::config_builder()
            .proxy(proxy)
            .tls_config(tls.build())
            .http_status_as_error(false)
            // A signature is valid for one host and path only.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("cargo-fg/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(Duration::from_secs(10)))
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_send_body(Some(Duration::from_secs(600)))
            .timeout_recv_response(Some(Duration::from_secs(120)))
            .timeout_recv_body(Some(Duration::from_secs(300)))
            .build()
            .new_agent();
        Ok(Self {
            agent,
            endpoint,
            project_id: project_id.to_owned(),
            credentials,
        })
    }

    pub(super) fn project_id(&self) -> &str {
        &self.project_id
    }

    /// Returns the host for an error message, with the proxy between this machine and the API if there is one.
    fn host_for_message(&self) -> String {
        let host = self.endpoint.host();
        let uri = self.endpoint.url("/", "").parse().unwrap_or_default();
        match self.agent.config().proxy() {
            Some(proxy) if !proxy.is_no_proxy(&uri) => {
                format!("{host} through the proxy {}:{}", proxy.host(), proxy.port())
            }
            _ => host.to_owned(),
        }
    }

    /// Sends the request, and returns the body of the response.
    ///
    /// A request that was not executed is repeated after a pause: the connection failed, or the API responded with status 429.
    /// A `GET` is also repeated after other failures that may pass.
    ///
    /// # Errors
    ///
    /// Returns an [`ApiError`] if the request fails, or if the API rejects it.
    pub(super) fn send(&self, request: &ApiRequest) -> Result<Value, ApiError> {
        let body = match &request.body {
            Some(body) => body.to_string().into_bytes(),
            None => Vec::new(),
        };
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
        let mut attempt = 1;
        loop {
            match self.send_once(request, &body) {
                Err(error)
                    if attempt < ATTEMPTS
                        && (error.was_not_executed()
                            || request.method == "GET" && error.may_pass()) =>
                {
                    attempt += 1;
                    // The API may ask for a longer pause.
                    let pause = backoff.next_pause().max(error.retry_after());
                    std::thread::sleep(pause);
                }
                result => return result,
            }
        }
    }

    fn send_once(&self, request: &ApiRequest, body: &[u8]) -> Result<Value, ApiError> {
        let unreachable = |error| ApiError::unreachable(request, self.host_for_message(), error);
        let own_headers = request.headers(&self.project_id);
        let signed = Request {
            method: request.method,
            host: self.endpoint.host(),
            path: &request.path,
            query: &request.query,
            headers: &own_headers,
            body,
        };
        let mut builder = http::Request::builder()
            .method(request.method)
            .uri(self.endpoint.url(&request.path, &request.query))
            .header("Host", self.endpoint.host());
        for (name, value) in &own_headers {
            builder = builder.header(*name, *value);
        }
        // Each attempt is signed anew, since a signature expires.
        let signature = sign(&signed, &self.credentials, SystemTime::now());
        let token = signature.iter().find(|(name, _)| *name == TOKEN_HEADER);
        let token = token.map(|(_, value)| value.clone());
        for (name, value) in signature {
            let mut value = http::HeaderValue::try_from(value)
                .map_err(|error| unreachable(ureq::Error::Http(error.into())))?;
            value.set_sensitive(true);
            builder = builder.header(name, value);
        }
        let response = if request.body.is_some() {
            let request = builder.body(body);
            request
                .map_err(ureq::Error::Http)
                .and_then(|it| self.agent.run(it))
        } else {
            let request = builder.body(());
            request
                .map_err(ureq::Error::Http)
                .and_then(|it| self.agent.run(it))
        };
        let mut response = response.map_err(unreachable)?;
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_RESPONSE)
            .read_to_vec()
            .map_err(|error| ApiError::interrupted(request, status, error))?;
        if !response.status().is_success() {
            let body = String::from_utf8_lossy(&body);
            // A message about a signature quotes the headers that were signed.
            let body = match &token {
                Some(token) => body.replace(token.as_str(), "<token>").into(),
                None => body,
            };
            let headers = response.headers();
            return Err(ApiError::rejected(request, status, headers, &body));
        }
        serde_json::from_slice(body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&body))
            .map_err(|_| ApiError::not_json(request, status, &body))
    }
}

/// Returns the credentials in the environment.
pub(super) fn credentials() -> anyhow::Result<Credentials> {
    Credentials::from_variables(variable).context("cannot sign requests")
}
