//! Tests of the exporter with a scripted collector.

pub(crate) mod collector;
mod delivery;
mod flushing;
mod holding;
mod metrics;
mod proxy;
mod raw;
mod responses;
mod scheduling;
mod secrets;
mod tls;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpSocket;

use super::counters::ItemCounts;
use super::*;
use crate::config::Config;

/// Longer than any expected wait, and shorter than any wait that would be a bug.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Reads a configuration from these variables. Unless they set it, the flush timeout is one hour.
fn config(variables: &[(&str, &str)]) -> Config {
    let mut all = variables.to_vec();
    all.push(("FG_OTLP_FLUSH_TIMEOUT", "1h"));
    let config = Config::from_variables(|name| {
        let mut variables = all.iter();
        let found = variables.find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value)
    });
    config.unwrap().unwrap()
}

/// Starts an exporter to this address that flushes at the end of invocations and has no metrics.
fn exporter(address: SocketAddr, variables: &[(&str, &str)]) -> Exporter {
    let endpoint = format!("http://{address}");
    let mut all = variables.to_vec();
    all.extend([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("FG_OTLP_FLUSH", "end"),
    ]);
    Exporter::start(&config(&all), |_| Snapshot::default()).unwrap()
}

fn spans(names: &[&str]) -> Vec<Span> {
    let span = |name: &&str| Span {
        name: (*name).to_owned(),
        ..Span::default()
    };
    names.iter().map(span).collect()
}

fn log_records(severities: &[&str]) -> Vec<LogRecord> {
    let log_record = |severity: &&str| LogRecord {
        severity_text: (*severity).to_owned(),
        ..LogRecord::default()
    };
    severities.iter().map(log_record).collect()
}

fn with_metrics(names: &[&str]) -> Snapshot {
    let metric = |name: &&str| Metric {
        name: (*name).to_owned(),
        ..Metric::default()
    };
    Snapshot {
        metrics: names.iter().map(metric).collect(),
        ..Snapshot::default()
    }
}

fn counts(spans: u64, log_records: u64) -> ItemCounts {
    ItemCounts {
        spans,
        log_records,
        data_points: 0,
    }
}

/// Reserves an address that refuses connections until the test listens on it.
fn reserve_address() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}
