//! Plays the SDK of the function, which posts to the extension's receiver.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// How long to wait before a test fails.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns an address that is currently unused.
pub(crate) async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    listener
        .and_then(|it| it.local_addr())
        .expect("a free port")
}

/// Posts a request, and returns the status of the response.
pub(crate) async fn post(receiver: SocketAddr, path: &str, body: Vec<u8>) -> u16 {
    let connect = async {
        // The extension may not have started yet.
        loop {
            match TcpStream::connect(receiver).await {
                Ok(stream) => break stream,
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let stream = timeout(TEST_TIMEOUT, connect)
        .await
        .expect("the receiver listens");
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.expect("a connection");
    let connection = tokio::spawn(connection);
    let request = Request::post(path)
        .header("Host", receiver.to_string())
        .header("Content-Type", "application/x-protobuf")
        .body(Full::new(Bytes::from(body)))
        .expect("a valid request");
    let response = timeout(TEST_TIMEOUT, sender.send_request(request)).await;
    let status = response.expect("in time").expect("a response").status();
    connection.abort();
    status.as_u16()
}

pub(crate) async fn post_spans(receiver: SocketAddr, spans: Vec<Span>) -> u16 {
    post(receiver, "/v1/traces", encode_spans(spans)).await
}

pub(crate) fn encode_spans(spans: Vec<Span>) -> Vec<u8> {
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource()),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec()
}

pub(crate) async fn post_logs(receiver: SocketAddr, log_records: Vec<LogRecord>) -> u16 {
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource()),
            scope_logs: vec![ScopeLogs {
                log_records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    };
    post(receiver, "/v1/logs", request.encode_to_vec()).await
}

/// Posts a counter with this value.
pub(crate) async fn post_counter(receiver: SocketAddr, name: &str, value: i64) -> u16 {
    let point = NumberDataPoint {
        time_unix_nano: now(),
        value: Some(number_data_point::Value::AsInt(value)),
        ..NumberDataPoint::default()
    };
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource()),
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![Metric {
                    name: name.to_owned(),
                    data: Some(Data::Sum(Sum {
                        data_points: vec![point],
                        aggregation_temporality: 2,
                        is_monotonic: true,
                    })),
                    ..Metric::default()
                }],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    };
    post(receiver, "/v1/metrics", request.encode_to_vec()).await
}

/// Creates a span that starts now.
pub(crate) fn span(name: &str, trace_id: [u8; 16], span_id: u8, parent: Option<u8>) -> Span {
    Span {
        name: name.to_owned(),
        trace_id: trace_id.to_vec(),
        span_id: vec![span_id; 8],
        parent_span_id: parent.map_or(Vec::new(), |parent| vec![parent; 8]),
        start_time_unix_nano: now(),
        end_time_unix_nano: now(),
        ..Span::default()
    }
}

pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("after 1970").as_nanos();
    now.try_into().expect("before 2554")
}

pub(crate) fn text(value: &str) -> Option<AnyValue> {
    let value = Some(Value::StringValue(value.to_owned()));
    Some(AnyValue { value })
}

/// The resource of an SDK that has not been configured.
fn resource() -> Resource {
    let attribute = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: text(value),
        ..KeyValue::default()
    };
    Resource {
        attributes: vec![
            attribute("service.name", "unknown_service"),
            attribute("telemetry.sdk.language", "python"),
        ],
        ..Resource::default()
    }
}
