//! Decodes the body of a request.

use std::io::Read;
use std::thread;

use fg_util::error::one_line;
use flate2::read::MultiGzDecoder;
use hyper::header::{self, HeaderMap};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::decoded_size;
use super::response::Format;
use super::valid_ids::has_valid_ids;
use crate::export::ReceivedRequest;
use crate::signal::Signal;

/// The maximum size of a body that is decoded on the thread of the runtime, which takes about 2 ms.
const MAX_INLINE: usize = 256 << 10;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encoding {
    Gzip,
    Identity,
}

/// Why a body is not accepted.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum DecodeError {
    /// The body, or what it decodes to, is too large.
    TooLarge,
    Invalid(String),
}

impl Encoding {
    /// Returns the encoding that the header `Content-Encoding` names, or `None` if it is not supported.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let Some(encoding) = headers.get(header::CONTENT_ENCODING) else {
            return Some(Self::Identity);
        };
        match encoding.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
            "gzip" => Some(Self::Gzip),
            "identity" | "" => Some(Self::Identity),
            _ => None,
        }
    }

    /// Returns the maximum size of a body that is decoded on the thread of the runtime.
    pub(super) fn max_inline(self) -> usize {
        match self {
            // What the function sends is usually compressed to a quarter or less.
            Self::Gzip => MAX_INLINE / 8,
            Self::Identity => MAX_INLINE,
        }
    }
}

/// Runs [`decode`] on a thread of its own, so that it does not hold up other tasks, or on this one if no thread can be
/// started.
pub(super) async fn decode_large(
    decode: impl FnOnce() -> Result<ReceivedRequest, DecodeError> + Clone + Send + 'static,
) -> Result<ReceivedRequest, DecodeError> {
    let (done, decoded) = oneshot::channel();
    let here = decode.clone();
    let started = thread::Builder::new()
        .name("receiver".to_owned())
        .spawn(move || {
            // The connection may have been closed.
            let _ = done.send(decode());
        });
    match started {
        Ok(_) => decoded
            .await
            .unwrap_or_else(|_| Err(DecodeError::Invalid("the decoder panicked".to_owned()))),
        Err(_) => here(),
    }
}

/// Decodes a body. Neither the uncompressed body nor what it decodes to
/// may be much larger than `max`.
pub(super) fn decode(
    signal: Signal,
    format: Format,
    encoding: Encoding,
    body: &[u8],
    max: usize,
) -> Result<ReceivedRequest, DecodeError> {
    let unzipped;
    let body = match encoding {
        Encoding::Identity => body,
        Encoding::Gzip => {
            unzipped = unzip(body, max)?;
            &unzipped
        }
    };
    let decoded_size = match format {
        Format::Protobuf => decoded_size::of_protobuf(signal, body),
        Format::Json => decoded_size::of_json(body),
    };
    if decoded_size > decoded_size::max(max) {
        return Err(DecodeError::TooLarge);
    }
    let request = match signal {
        Signal::Traces => {
            let request: ExportTraceServiceRequest = decode_as(format, body)?;
            ReceivedRequest::Spans(request.resource_spans)
        }
        Signal::Logs => {
            let request: ExportLogsServiceRequest = decode_as(format, body)?;
            ReceivedRequest::Logs(request.resource_logs)
        }
        Signal::Metrics => {
            let request: ExportMetricsServiceRequest = decode_as(format, body)?;
            ReceivedRequest::Metrics(request.resource_metrics)
        }
    };
    match has_valid_ids(&request) {
        true => Ok(request),
        false => Err(DecodeError::Invalid(
            "a trace ID does not have 16 bytes, or a span ID does not have 8".to_owned(),
        )),
    }
}

fn unzip(body: &[u8], max: usize) -> Result<Vec<u8>, DecodeError> {
    let mut unzipped = Vec::new();
    let mut decoder = MultiGzDecoder::new(body).take(max as u64 + 1);
    decoder
        .read_to_end(&mut unzipped)
        .map_err(|error| invalid("the body is not valid gzip", &error))?;
    if unzipped.len() > max {
        return Err(DecodeError::TooLarge);
    }
    Ok(unzipped)
}

fn decode_as<T: Message + Default + DeserializeOwned>(
    format: Format,
    body: &[u8],
) -> Result<T, DecodeError> {
    match format {
        Format::Protobuf => T::decode(body)
            .map_err(|error| invalid("the body is not an OTLP request in protobuf", &error)),
        Format::Json => serde_json::from_slice(body)
            .map_err(|error| invalid("the body is not an OTLP request in JSON", &error)),
    }
}

fn invalid(problem: &str, error: &dyn std::error::Error) -> DecodeError {
    DecodeError::Invalid(one_line(&format!("{problem}: {error}")))
}
