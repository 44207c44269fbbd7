//! Tests of the limits for the size of a request.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Metric, ResourceMetrics, ScopeMetrics,
};

use super::*;
use crate::receiver::decode::{Encoding, decode};
use crate::receiver::decoded_size;
use crate::receiver::response::Format;
use crate::signal::Signal;

/// Half of the buffer of the fixture.
const MAX: usize = 1 << 20;

fn fixture() -> Fixture {
    Fixture::start(([127, 0, 0, 1], 1).into(), &[("FG_OTLP_BUFFER", "2MiB")])
}

/// Encodes a span with so many empty attributes.
fn bomb(attributes: usize) -> Vec<u8> {
    with_span(Span {
        attributes: vec![KeyValue::default(); attributes],
        ..Span::default()
    })
}

fn with_span(span: Span) -> Vec<u8> {
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec()
}

#[tokio::test]
async fn body_of_half_the_buffer_is_accepted() {
    let fixture = fixture();
    let body = span(&"x".repeat(MAX - 100));
    assert_eq!(fixture.post_spans(&body).await.status, 200);
    let body = span(&"x".repeat(MAX));
    let reply = fixture.post_spans(&body).await;
    assert_eq!(reply.status, 413);
    let message = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(message.contains("half of FG_OTLP_BUFFER"), "{message}");
    let compressed = gzip(&body);
    assert!(compressed.len() < MAX / 10);
    let mut client = fixture.connect().await;
    let reply = client
        .post("/v1/traces", &[PROTOBUF, GZIP], &compressed)
        .await;
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn large_buffer_does_not_make_bodies_larger() {
    let fixture = Fixture::start(([127, 0, 0, 1], 1).into(), &[("FG_OTLP_BUFFER", "64MiB")]);
    let reply = fixture.post_spans(&vec![0; (16 << 20) + 1]).await;
    assert_eq!(reply.status, 413);
    let message = String::from_utf8_lossy(&reply.body).into_owned();
    let expected = "larger than 16777216 bytes, which is the maximum,";
    assert!(message.contains(expected), "{message}");
}

#[tokio::test]
async fn body_of_unknown_length_is_bounded() {
    let fixture = fixture();
    let mut client = fixture.connect().await;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: a\r\n{PROTOBUF}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    client.send(head.as_bytes()).await;
    let chunk = [b"10000\r\n".as_slice(), &[0; 0x10000], b"\r\n"].concat();
    for _ in 0..=MAX / 0x10000 {
        client.send(&chunk).await;
    }
    client.send(b"0\r\n\r\n").await;
    assert_eq!(client.reply().await.status, 413);
}

#[tokio::test]
async fn many_empty_messages_are_rejected() {
    let fixture = fixture();
    assert_eq!(fixture.post_spans(&bomb(10_000)).await.status, 200);
    assert_eq!(fixture.post_spans(&bomb(400_000)).await.status, 413);
    let body = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{}}{}]}}]}}]}}"#,
        ",{}".repeat(100_000)
    );
    let mut client = fixture.connect().await;
    let reply = client.post("/v1/traces", &[JSON], body.as_bytes()).await;
    assert_eq!(reply.status, 413);
}

#[test]
fn decoded_size_counts_messages_at_any_depth() {
    const COUNT: usize = 1000;
    let list = |values: Vec<AnyValue>| AnyValue {
        value: Some(any_value::Value::ArrayValue(ArrayValue { values })),
    };
    let nested = (0..40).fold(list(vec![AnyValue::default(); COUNT]), |inner, _| {
        list(vec![inner])
    });
    let attribute = KeyValue {
        value: Some(nested),
        ..KeyValue::default()
    };
    let body = with_span(Span {
        attributes: vec![attribute],
        ..Span::default()
    });
    let size = decoded_size::of_protobuf(Signal::Traces, &body);
    assert!(size > COUNT * size_of::<AnyValue>(), "{size}");

    let counts = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![Metric {
                    data: Some(Data::ExponentialHistogram(ExponentialHistogram {
                        data_points: vec![ExponentialHistogramDataPoint {
                            positive: Some(Buckets {
                                bucket_counts: vec![1; COUNT],
                                ..Buckets::default()
                            }),
                            ..ExponentialHistogramDataPoint::default()
                        }],
                        ..ExponentialHistogram::default()
                    })),
                    ..Metric::default()
                }],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    };
    let size = decoded_size::of_protobuf(Signal::Metrics, &counts.encode_to_vec());
    assert!(size > COUNT * size_of::<u64>(), "{size}");
}

#[test]
fn malformed_data_has_a_size() {
    for body in [
        &b"\xff"[..],
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0a\x05\x0a",
        b"\x0f",
    ] {
        for signal in Signal::ALL {
            assert!(decoded_size::of_protobuf(signal, body) < 10_000);
        }
    }
}

#[tokio::test]
async fn deeply_nested_data_is_rejected() {
    let fixture = fixture();
    let open = r#"{"arrayValue":{"values":["#;
    let value = format!("{}{}", open.repeat(100), "]}}".repeat(100));
    let body = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"a","value":{value}}}]}},"scopeSpans":[]}}]}}"#
    );
    let mut client = fixture.connect().await;
    let reply = client.post("/v1/traces", &[JSON], body.as_bytes()).await;
    assert_eq!(reply.status, 400);
}

#[test]
fn damaged_bodies_do_not_panic() {
    let json = br#"{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"intValue":"5"}}]},"scopeSpans":[{"spans":
        [{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"\u00e9","events":[{}]}]}]}]}"#;
    let protobuf = span("damaged");
    let zipped = gzip(&protobuf);
    for (format, encoding, body) in [
        (Format::Json, Encoding::Identity, &json[..]),
        (Format::Protobuf, Encoding::Identity, &protobuf),
        (Format::Protobuf, Encoding::Gzip, &zipped),
    ] {
        let decode = |body: &[u8]| decode(Signal::Traces, format, encoding, body, MAX);
        assert!(decode(body).is_ok());
        let mut errors = 0;
        for index in 0..body.len() {
            errors += usize::from(decode(&body[..index]).is_err());
            for bit in 0..8 {
                let mut damaged = body.to_vec();
                damaged[index] ^= 1 << bit;
                errors += usize::from(decode(&damaged).is_err());
            }
        }
        assert!(errors > body.len(), "{errors}");
    }
}
