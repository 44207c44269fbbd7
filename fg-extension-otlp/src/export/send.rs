//! One request and what became of it.

use std::io::Write;
use std::time::{Duration, SystemTime};

use fg_extension::Error;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use super::Signal;
use super::connect::{Connector, Pool};
use super::settings::Target;
use super::text::{chain, first_words};
use super::time::{Time, within};

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
/// In the form of the specification: the exporter, its language, its version.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!(
    "FG-Extension-OTLP-Exporter-Rust/",
    env!("CARGO_PKG_VERSION")
));

/// A connection that has been idle for longer is not used again: the collector, or something on the way to it, may
/// have given it up while the process was frozen.
const LONGEST_IDLE: Duration = Duration::from_secs(3);

/// How much of an answer is read; it has a count and a message in it, or an error page.
const LONGEST_ANSWER: usize = 64 << 10;
/// How long the rest of an answer may take once its status is known, if so much time is left.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// Sends requests of one signal, one after the other.
pub(super) struct Sender {
    signal: Signal,
    target: Target,
    connector: Connector,
    open: Option<Open>,
}

/// What is kept from the request before.
struct Open {
    pool: Pool,
    used: Time,
    /// Whether the pool may have a connection in it that has served a request.
    is_used: bool,
}

/// What became of a request.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// The collector took it, but for so many items, for the reason in the message.
    ///
    /// A message without rejected items is a warning.
    Delivered { rejected: u64, message: String },
    /// It may be taken if it is sent again.
    Retry {
        after: Option<Duration>,
        why: String,
    },
    /// It will never be taken.
    Refused { why: String },
}

impl Sender {
    /// # Errors
    ///
    /// The certificates to trust cannot be read.
    pub(super) fn new(signal: Signal, target: Target) -> Result<Self, Error> {
        Ok(Self {
            connector: Connector::new(&target)?,
            signal,
            target,
            open: None,
        })
    }

    /// Where requests go, without the part of the address that may hold a key.
    pub(super) fn endpoint(&self) -> String {
        let uri = self.target.endpoint.to_string();
        uri.split('?').next().unwrap_or_default().to_owned()
    }

    /// Sends an encoded `Export…ServiceRequest`.
    pub(super) async fn post(&mut self, body: Vec<u8>) -> Outcome {
        let body = match if self.target.gzip {
            gzip(&body)
        } else {
            Ok(body)
        } {
            Ok(body) => Bytes::from(body),
            Err(error) => {
                let why = format!("the request could not be compressed: {error}");
                return Outcome::Refused { why };
            }
        };
        let (timeout, began) = (self.target.timeout, Time::now());
        let failure = match within(timeout, self.exchange(body)).await {
            Some(Ok(response)) => {
                let left = timeout.saturating_sub(began.elapsed(Time::now()));
                let outcome = self.outcome(response, left.min(LONGEST_REST)).await;
                if let Some(open) = &mut self.open {
                    open.is_used = true;
                    open.used = Time::now();
                }
                return outcome;
            }
            Some(Err(error)) => chain(&error),
            None => format!("no answer within {timeout:?}"),
        };
        self.open = None;
        Outcome::Retry {
            after: None,
            why: failure,
        }
    }

    async fn exchange(&mut self, body: Bytes) -> Result<Response<Incoming>, legacy::Error> {
        let is_used = self.open(Time::now()).is_used;
        match self.request(body.clone()).await {
            // The connection was closed while nobody looked; that says nothing about the collector.
            Err(error) if is_used && !error.is_connect() => {
                self.open = None;
                self.request(body).await
            }
            response => response,
        }
    }

    fn request(&mut self, body: Bytes) -> legacy::ResponseFuture {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.endpoint.clone();
        let headers = request.headers_mut();
        headers.clone_from(&self.target.headers);
        headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
        headers.insert(header::CONTENT_TYPE, PROTOBUF);
        if self.target.gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        self.open(Time::now()).pool.request(request)
    }

    /// The connections of before, if they can be trusted.
    fn open(&mut self, now: Time) -> &mut Open {
        // By both clocks, unlike the limit that the pool itself could have.
        self.open
            .take_if(|open| open.used.elapsed(now) > LONGEST_IDLE);
        self.open.get_or_insert_with(|| Open {
            pool: self.connector.pool(),
            used: now,
            is_used: false,
        })
    }

    /// What the response says, of which the rest may take so long.
    async fn outcome(&self, response: Response<Incoming>, limit: Duration) -> Outcome {
        let (head, body) = response.into_parts();
        // What was answered is known by now: an answer that breaks off, or stalls, is as good as an empty one.
        let body = match within(limit, Limited::new(body, LONGEST_ANSWER).collect()).await {
            Some(Ok(body)) => body.to_bytes(),
            Some(Err(_)) | None => Bytes::new(),
        };
        let is_protobuf = head
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(PROTOBUF.as_bytes()));
        let why = || match error_message(&body, is_protobuf) {
            message if message.is_empty() => format!("status {}", head.status),
            message => format!("status {}: {message}", head.status),
        };
        match head.status {
            status if status.is_success() => {
                let (rejected, message) = is_protobuf
                    .then(|| partial_success(self.signal, &body))
                    .flatten()
                    .unwrap_or_default();
                Outcome::Delivered {
                    rejected: rejected.try_into().unwrap_or(0),
                    message: first_words(&message),
                }
            }
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Outcome::Retry {
                after: retry_after(&head.headers, SystemTime::now()),
                why: why(),
            },
            _ => Outcome::Refused { why: why() },
        }
    }
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    // The function pays for the time, and the faster level does nearly all of the work.
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// How many items the collector rejected, and why.
fn partial_success(signal: Signal, body: &[u8]) -> Option<(i64, String)> {
    match signal {
        Signal::Traces => {
            let partial = ExportTraceServiceResponse::decode(body)
                .ok()?
                .partial_success?;
            Some((partial.rejected_spans, partial.error_message))
        }
        Signal::Logs => {
            let partial = ExportLogsServiceResponse::decode(body)
                .ok()?
                .partial_success?;
            Some((partial.rejected_log_records, partial.error_message))
        }
        Signal::Metrics => {
            let partial = ExportMetricsServiceResponse::decode(body)
                .ok()?
                .partial_success?;
            Some((partial.rejected_data_points, partial.error_message))
        }
    }
}

/// What the collector said, or something before it that has never heard of OTLP.
fn error_message(body: &[u8], is_protobuf: bool) -> String {
    /// `google.rpc.Status`, as far as it is of use here.
    #[derive(Message)]
    struct Status {
        #[prost(string, tag = "2")]
        message: String,
    }
    if is_protobuf {
        let status = Status::decode(body).unwrap_or_default();
        first_words(&status.message)
    } else {
        first_words(&String::from_utf8_lossy(body))
    }
}

/// Seconds or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
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
    use super::*;

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

    #[test]
    fn error_message_is_the_status_or_the_first_words() {
        let status = [0x08, 3, 0x12, 7, b'n', b'o', b' ', b'r', b'o', b'o', b'm'];
        assert_eq!(error_message(&status, true), "no room");
        assert_eq!(
            error_message(b"<p>Not\nFound</p>", false),
            r"<p>Not\nFound</p>"
        );
        assert_eq!(error_message(&[0xff], true), "");
        let long = error_message("ä".repeat(300).as_bytes(), false);
        assert_eq!(long, format!("{}…", "ä".repeat(200)));
    }

    #[tokio::test]
    async fn connections_are_not_trusted_after_a_freeze() {
        let settings = super::super::settings::Settings::read(|_| None)
            .unwrap()
            .unwrap();
        let target = settings.target(Signal::Traces).cloned().unwrap();
        let mut sender = Sender::new(Signal::Traces, target).unwrap();
        let now = Time::now();
        sender.open(now).is_used = true;
        assert!(sender.open(now.after_freeze(LONGEST_IDLE)).is_used);
        let thawed = now.after_freeze(LONGEST_IDLE + Duration::from_millis(1));
        assert!(!sender.open(thawed).is_used);
    }
}
