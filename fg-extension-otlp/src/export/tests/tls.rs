//! Tests of TLS with root certificates from a file.

use std::io::Write;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use super::collector::Collector;
use super::*;
use crate::signal::Signal;

/// Creates a certificate authority, in a file, and a TLS server with a certificate from it.
fn authority() -> (NamedTempFile, TlsAcceptor) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(authority.pem().as_bytes()).unwrap();

    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (file, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn collector_with_a_root_from_the_file_is_trusted() {
    let (root, acceptor) = authority();
    let mut collector = Collector::start_tls(acceptor).await;
    for host in ["localhost", "127.0.0.1"] {
        let endpoint = format!("https://{host}:{}", collector.address.port());
        let exporter = exporter(
            collector.address,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
                (
                    "OTEL_EXPORTER_OTLP_CERTIFICATE",
                    root.path().to_str().unwrap(),
                ),
            ],
        );
        exporter.enqueue(spans(&["a"]), Vec::new());
        exporter.flush_for_invocation().await;
        assert_eq!(collector.received().await.names(), ["a"]);
        exporter.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn collector_with_an_unknown_root_is_not_trusted() {
    let (_, acceptor) = authority();
    let (other_root, _) = authority();
    let mut collector = Collector::start_tls(acceptor).await;
    let endpoint = format!("https://localhost:{}", collector.address.port());
    let shut_down = async |root: &str| {
        let exporter = exporter(
            collector.address,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", root),
                ("FG_OTLP_FLUSH_TIMEOUT", "1s"),
            ],
        );
        exporter.enqueue(spans(&["a"]), Vec::new());
        exporter.shutdown().await.unwrap_err().to_string()
    };
    let other_root = other_root.path().to_str().unwrap();
    let (bundled, other) = tokio::join!(shut_down(""), shut_down(other_root));
    for error in [bundled, other] {
        assert!(
            error.contains("1 span to https://localhost:")
                && error.contains("invalid peer certificate"),
            "{error}"
        );
    }
    assert!(!collector.has_received());
}

#[tokio::test]
async fn unusable_certificate_disables_its_signal() {
    let mut collector = Collector::start().await;
    let mut garbage = NamedTempFile::new().unwrap();
    let path = garbage.path().to_str().unwrap().to_owned();
    let name = "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE";
    let https = format!("https://{}", collector.address);
    let plain = format!("http://{}", collector.address);
    let variables = |path: &str, traces: &str| {
        config(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &plain),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces),
            (name, path),
            ("FG_OTLP_FLUSH", "end"),
        ])
    };
    let error = |path: &str| {
        let config = variables(path, &https)
            .signal(Signal::Traces)
            .unwrap()
            .clone();
        let client = client::OtlpClient::new(Signal::Traces, config, &mut Vec::new());
        client.err().unwrap().to_string()
    };
    let missing = error("/nonexistent.pem");
    assert!(
        missing.starts_with(&format!(
            "cannot read {name} from the environment: `/nonexistent.pem` cannot be opened (No such file"
        )) && missing
            .ends_with("; write the path of a PEM file with the root certificates to trust"),
        "{missing}"
    );
    let empty = error(&path);
    assert!(empty.contains("` contains no certificate"), "{empty}");
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    garbage.write_all(pem.as_bytes()).unwrap();
    let bad = error(&path);
    assert!(bad.contains("` contains an invalid certificate"), "{bad}");

    // The invalid file affects neither the other signals nor connections without TLS.
    let traces = format!("{plain}/v1/traces");
    for (traces, expected) in [(&https, vec!["INFO"]), (&traces, vec!["INFO", "a"])] {
        let config = variables(&path, traces);
        let exporter = Exporter::start(&config, |_| Snapshot::default()).unwrap();
        exporter.enqueue(spans(&["a"]), log_records(&["INFO"]));
        exporter.shutdown().await.unwrap();
        let mut names = Vec::new();
        for _ in &expected {
            names.extend(collector.received().await.names());
        }
        names.sort();
        assert_eq!(names, expected);
        assert!(!collector.has_received());
    }
}
