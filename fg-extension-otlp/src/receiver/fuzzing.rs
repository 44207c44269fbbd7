//! The fuzz target of the receiver: the body of a request, its correlation with invocations, and the request that follows.
//!
//! `fuzz/` runs it with libFuzzer, and the property test below on the corpus in `fuzz/corpus/otlp_received/` and on
//! mutations of it.

// A panic is how a target reports a problem.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::time::{Duration, UNIX_EPOCH};

use fg_extension::Invocation;

use super::decode::{Encoding, decode};
use super::response::Format;
use crate::config::ResourceConfig;
use crate::export::ReceivedRequest;
use crate::export::fuzzing_received::check_received;
use crate::signal::Signal;
use crate::translate::{FunctionInfo, Translated, Translator};

/// Decodes the body of a request, correlates it with two invocations, and encodes it for the collector.
///
/// The first line of the input names the signal and the format, such as `traces json`, `logs protobuf` or
/// `metrics protobuf gzip`. The rest is the body.
pub fn otlp_received(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let head = String::from_utf8_lossy(&data[..end]);
    let body = &data[end + 1..];
    let signal = match &head {
        head if head.starts_with("traces") => Signal::Traces,
        head if head.starts_with("logs") => Signal::Logs,
        _ => Signal::Metrics,
    };
    let format = match head.contains("json") {
        true => Format::Json,
        false => Format::Protobuf,
    };
    let encoding = match head.contains("gzip") {
        true => Encoding::Gzip,
        false => Encoding::Identity,
    };
    let Ok(mut request) = decode(signal, format, encoding, body, 64 << 10) else {
        return;
    };
    correlate(&mut request);
    check_received(signal, request);
}

fn correlate(request: &mut ReceivedRequest) {
    let now = UNIX_EPOCH + Duration::from_secs(1_687_651_200);
    let config = ResourceConfig::default();
    let function = FunctionInfo::default();
    let mut translator = Translator::new(function, config, "instance".into(), now);
    let mut out = Translated::default();
    for id in ["3da1f2dc-3222-475e-9205-e2e6c6318895", "request"] {
        let urn = "urn:fss:cn-north-4:0a1b:function:default:hello:latest";
        translator.record_invocation(&Invocation::new(id, urn), now, &mut out);
    }
    match request {
        ReceivedRequest::Spans(all) => translator.correlate_spans(all, now),
        ReceivedRequest::Logs(all) => translator.correlate_log_records(all, now),
        ReceivedRequest::Metrics(_) => {}
    }
    translator.finish(now, &mut out);
}

#[cfg(test)]
mod tests {
    #[test]
    fn otlp_received() {
        fuzz_corpus::check("otlp_received", 4_000, super::otlp_received);
    }
}
