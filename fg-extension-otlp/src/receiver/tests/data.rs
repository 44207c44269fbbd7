//! Tests of what is received: nothing gets lost or changes on the way to the collector.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;

use super::*;

fn text(value: &str) -> Option<AnyValue> {
    let value = Some(Value::StringValue(value.to_owned()));
    Some(AnyValue { value })
}

/// Returns the value of an attribute.
fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    attribute.value.as_ref()?.value.as_ref()
}

#[tokio::test]
async fn spans_arrive_unchanged_with_a_complete_resource() {
    let mut collector = Collector::start().await;
    let fixture = Fixture::start(collector.address, &[]);
    let mut request = ExportTraceServiceRequest::decode(span("a").as_slice()).unwrap();
    let sent = &mut request.resource_spans[0];
    let attribute = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: text(value),
        ..KeyValue::default()
    };
    sent.resource.get_or_insert_default().attributes = vec![
        attribute("service.name", "unknown_service:python"),
        attribute("faas.instance", "theirs"),
        attribute("telemetry.sdk.language", "python"),
    ];
    sent.schema_url = "https://resource".to_owned();
    sent.scope_spans[0].schema_url = "https://scope".to_owned();
    let sent = request.clone();

    let mut client = fixture.connect().await;
    let body = request.encode_to_vec();
    for (headers, body) in [
        (&[PROTOBUF][..], body.clone()),
        (&[PROTOBUF, GZIP], gzip(&body)),
    ] {
        assert_eq!(client.post("/v1/traces", headers, &body).await.status, 200);
        let mut received = received_spans(&mut collector).await;
        let [received] = &mut received.resource_spans[..] else {
            panic!("{received:?}");
        };
        let resource = received.resource.take().unwrap().attributes;
        for (key, value) in [
            ("service.name", "orders"),
            ("faas.name", "orders"),
            ("faas.instance", "theirs"),
            ("telemetry.sdk.language", "python"),
        ] {
            let value = Value::StringValue(value.to_owned());
            assert_eq!(find(&resource, key), Some(&value), "{key}");
            assert_eq!(resource.iter().filter(|it| it.key == key).count(), 1);
        }
        let mut sent = sent.resource_spans[0].clone();
        sent.resource = None;
        assert_eq!(*received, sent);
    }
}

#[tokio::test]
async fn json_of_an_sdk_is_read() {
    let mut collector = Collector::start().await;
    let fixture = Fixture::start(collector.address, &[]);
    let mut client = fixture.connect().await;
    // As the SDK for JavaScript writes it, and with a field that OTLP does not have.
    let body = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"intValue":5}}],"droppedAttributesCount":0},
        "scopeSpans":[{"scope":{"name":"s","version":""},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C",
        "spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173","name":"n","kind":3,"future":{"a":[1]},
        "startTimeUnixNano":"1544712660000000001","endTimeUnixNano":1544712661000000000,"flags":257,
        "attributes":[{"key":"i","value":{"intValue":"9007199254740993"}},{"key":"d","value":{"doubleValue":1}},
        {"key":"b","value":{"bytesValue":"AAH/"}},{"key":"l","value":{"arrayValue":{"values":[{"boolValue":true},{}]}}}],
        "droppedAttributesCount":1,"events":[{"name":"e","timeUnixNano":"7","attributes":[]}],"links":[],
        "status":{"code":2,"message":"m"}}]}]}]}"#;
    assert_eq!(
        client
            .post("/v1/traces", &[JSON], body.as_bytes())
            .await
            .status,
        200
    );
    let received = received_spans(&mut collector).await;
    let span = &received.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.trace_id[..2], [0x5b, 0x8e]);
    assert_eq!(
        span.parent_span_id,
        [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x73]
    );
    assert_eq!(
        (span.kind, span.flags, span.start_time_unix_nano),
        (3, 257, 1_544_712_660_000_000_001)
    );
    assert_eq!(span.events[0].time_unix_nano, 7);
    assert_eq!(span.status.as_ref().unwrap().code, 2);
    let value = |key| find(&span.attributes, key).unwrap().clone();
    assert_eq!(value("i"), Value::IntValue(9_007_199_254_740_993));
    assert_eq!(value("d"), Value::DoubleValue(1.0));
    assert_eq!(value("b"), Value::BytesValue(vec![0, 1, 255]));
    assert!(matches!(value("l"), Value::ArrayValue(list) if list.values.len() == 2));

    let body = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"5","severityNumber":9,"severityText":"INFO",
        "body":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}}]}},"attributes":[],"eventName":"e"}]}]}]}"#;
    assert_eq!(
        client
            .post("/v1/logs", &[JSON], body.as_bytes())
            .await
            .status,
        200
    );
    let received = collector.received().await;
    let logs = ExportLogsServiceRequest::decode(received.body.as_slice()).unwrap();
    let log = &logs.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!((log.severity_number, log.event_name.as_str()), (9, "e"));
    assert!(matches!(
        &log.body.as_ref().unwrap().value,
        Some(Value::KvlistValue(_))
    ));

    let body = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"c","unit":"1","sum":{"aggregationTemporality":2,
        "isMonotonic":true,"dataPoints":[{"asInt":"3","startTimeUnixNano":"1","timeUnixNano":"2"},{"asDouble":0.5}]}},
        {"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"count":"2","sum":3,"bucketCounts":[1,"1"],
        "explicitBounds":[1],"min":1,"max":2}]}}]}]}]}"#;
    let reply = client.post("/v1/metrics", &[JSON], body.as_bytes()).await;
    assert_eq!(
        reply.status,
        200,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    let received = collector.received().await;
    let metrics = ExportMetricsServiceRequest::decode(received.body.as_slice()).unwrap();
    let [sum, histogram] = &metrics.resource_metrics[0].scope_metrics[0].metrics[..] else {
        panic!("{metrics:?}");
    };
    let Some(Data::Sum(sum)) = &sum.data else {
        panic!("{sum:?}");
    };
    assert_eq!(
        sum.data_points[0].value,
        Some(number_data_point::Value::AsInt(3))
    );
    assert_eq!(
        sum.data_points[1].value,
        Some(number_data_point::Value::AsDouble(0.5))
    );
    assert!(
        matches!(&histogram.data, Some(Data::Histogram(it)) if it.data_points[0].bucket_counts == [1, 1])
    );
}

#[tokio::test]
async fn large_request_arrives_in_bounded_requests() {
    let mut collector = Collector::start().await;
    let fixture = Fixture::start(collector.address, &[]);
    let mut request = ExportTraceServiceRequest::decode(span("").as_slice()).unwrap();
    let template = request.resource_spans[0].scope_spans[0].spans[0].clone();
    let span = |number| Span {
        name: format!("{number:0500}"),
        ..template.clone()
    };
    let all: Vec<Span> = (0..3_000).map(span).collect();
    request.resource_spans[0].scope_spans[0].spans = all.clone();
    let body = request.encode_to_vec();
    assert_eq!(fixture.post_spans(&body).await.status, 200);
    let mut received = Vec::new();
    while received.len() < all.len() {
        let request = received_spans(&mut collector).await;
        assert!(request.encoded_len() <= (1 << 20) + (64 << 10));
        let scopes = request
            .resource_spans
            .into_iter()
            .flat_map(|it| it.scope_spans);
        received.extend(scopes.flat_map(|it| it.spans));
    }
    assert!(received == all);
}

#[tokio::test]
async fn data_that_a_collector_does_not_accept_is_retried() {
    use crate::export::tests::collector::ScriptedResponse;
    let mut collector = Collector::start().await;
    collector.will_respond(ScriptedResponse::Disconnect);
    let fixture = Fixture::start(collector.address, &[]);
    assert_eq!(fixture.post_spans(&span("a")).await.status, 200);
    assert_eq!(names(&received_spans(&mut collector).await), ["a"]);
    assert_eq!(names(&received_spans(&mut collector).await), ["a"]);
    fixture.receiver.shutdown().await;
    fixture.exporter.shutdown().await.unwrap();
}
