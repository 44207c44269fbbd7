//! Tests of the receiver over real connections.

mod client;
mod connections;
mod data;
mod limits;
mod responses;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use self::client::Client;
use super::{Pipe, Receiver, bind};
use crate::config::Config;
use crate::export::tests::collector::Collector;
use crate::export::{Exporter, Snapshot};
use crate::translate::{FunctionInfo, Translator};

/// Longer than any expected wait, and shorter than any wait that would be a bug.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// A receiver and what it exports to.
struct Fixture {
    receiver: Receiver,
    address: SocketAddr,
    exporter: Arc<Exporter>,
}

impl Fixture {
    /// Starts a receiver that exports to the collector, unless one of the variables disables that.
    fn start(collector: SocketAddr, variables: &[(&str, &str)]) -> Self {
        let endpoint = format!("http://{collector}");
        let mut all = variables.to_vec();
        all.push(("FG_OTLP_ENDPOINT", &endpoint));
        all.push(("FG_OTLP_FLUSH", "end"));
        let config = Config::from_variables(|name| {
            let mut variables = all.iter();
            let found = variables.find(|(variable, _)| *variable == name);
            found.map(|(_, value)| value)
        });
        let config = config.unwrap().unwrap();
        let function = FunctionInfo {
            name: Some("orders".to_owned()),
            ..FunctionInfo::default()
        };
        let resource = config.resource.clone();
        let now = SystemTime::now();
        let translator = Translator::new(function, resource, "instance".to_owned(), now);
        let snapshot = Snapshot {
            resource: translator.resource(),
            ..Snapshot::default()
        };
        let exporter = Arc::new(Exporter::start(&config, move |_| snapshot.clone()).unwrap());
        let pipe = Pipe {
            translator: Arc::new(Mutex::new(translator)),
            exporter: Arc::clone(&exporter),
            buffer: config.buffer,
        };
        let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        Self {
            receiver: Receiver::start(listener, pipe).unwrap(),
            address,
            exporter,
        }
    }

    /// Starts a receiver without a collector.
    fn without_collector() -> Self {
        Self::start(([127, 0, 0, 1], 1).into(), &[])
    }

    async fn connect(&self) -> Client {
        Client::connect(self.address).await.unwrap()
    }

    /// Posts spans in protobuf.
    async fn post_spans(&self, body: &[u8]) -> client::Reply {
        let mut client = self.connect().await;
        client.post("/v1/traces", &[PROTOBUF], body).await
    }
}

const PROTOBUF: &str = "Content-Type: application/x-protobuf";
const JSON: &str = "Content-Type: application/json";
const GZIP: &str = "Content-Encoding: gzip";

/// Encodes a request with one span of this name.
fn span(name: &str) -> Vec<u8> {
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![Span {
                    name: name.to_owned(),
                    trace_id: vec![1; 16],
                    span_id: vec![2; 8],
                    ..Span::default()
                }],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// Waits for the next request to the collector, and decodes its spans.
async fn received_spans(collector: &mut Collector) -> ExportTraceServiceRequest {
    let received = tokio::time::timeout(TEST_TIMEOUT, collector.received()).await;
    let received = received.unwrap();
    assert_eq!(received.path, "/v1/traces");
    ExportTraceServiceRequest::decode(received.body.as_slice()).unwrap()
}

/// Returns the names of the spans.
fn names(request: &ExportTraceServiceRequest) -> Vec<&str> {
    let scopes = request.resource_spans.iter().flat_map(|it| &it.scope_spans);
    let spans = scopes.flat_map(|it| &it.spans);
    spans.map(|span| span.name.as_str()).collect()
}
