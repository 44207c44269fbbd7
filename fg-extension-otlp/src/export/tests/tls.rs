//! Tests of TLS with root certificates from a file.

use std::io::Write;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use super::collector::Collector;
use super::*;
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

/// A certificate authority, with its certificate in a file.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = pem_file(&issuer.pem());
        Self { issuer, file }
    }

    pub(super) fn path(&self) -> &str {
        self.file.path().to_str().unwrap()
    }

    /// Returns a certificate for the local host and `collector.example` with this key.
    fn certificate(&self, key: &KeyPair) -> Certificate {
        let names = ["localhost", "127.0.0.1", "collector.example"];
        let params = CertificateParams::new(names.map(str::to_owned)).unwrap();
        params.signed_by(key, &self.issuer).unwrap()
    }

    /// Returns a TLS server with a certificate from this authority. It requires a certificate of its clients if there is
    /// an authority for them.
    pub(super) fn acceptor(&self, clients: Option<&Self>) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(authority.issuer.der().clone()).unwrap();
                let roots = Arc::new(roots);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = KeyPair::generate().unwrap();
        let certificate = self.certificate(&key).der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config.with_single_cert(vec![certificate], key).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn pem_file(pem: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    file
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

#[tokio::test]
async fn collector_with_a_root_from_the_file_is_trusted() {
    let authority = Authority::new();
    let mut collector = Collector::start_tls(authority.acceptor(None)).await;
    for host in ["localhost", "127.0.0.1"] {
        let endpoint = format!("https://{host}:{}", collector.address.port());
        let exporter = exporter(
            collector.address,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", authority.path()),
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
    let other = Authority::new();
    let mut collector = Collector::start_tls(Authority::new().acceptor(None)).await;
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
    let (bundled, other) = tokio::join!(shut_down(""), shut_down(other.path()));
    for error in [bundled, other] {
        assert!(
            error.contains("1 span to https://localhost:")
                && error.contains("invalid peer certificate")
                && error.contains("; set OTEL_EXPORTER_OTLP_CERTIFICATE to a PEM file"),
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

/// Returns a new key, and PEM files with it in the formats PKCS#8 and SEC1.
fn key_files() -> (KeyPair, [NamedTempFile; 2]) {
    let pem = |label: &str, der: &[u8]| {
        let body = BASE64_STANDARD.encode(der);
        pem_file(&format!(
            "-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
        ))
    };
    let key = KeyPair::generate().unwrap();
    let pkcs8 = key.serialize_der();
    // The last part of the former is the latter: a sequence of version 1, the private key of 32 bytes, and more.
    let version = pkcs8
        .windows(5)
        .rposition(|bytes| bytes == [2, 1, 1, 4, 32]);
    let sec1 = &pkcs8[version.unwrap() - 2..];
    let files = [pem("PRIVATE KEY", &pkcs8), pem("EC PRIVATE KEY", sec1)];
    (key, files)
}

#[tokio::test]
async fn client_certificate_is_sent() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let mut collector = Collector::start_tls(authority.acceptor(Some(&clients))).await;
    let address = collector.address;
    let endpoint = format!("https://localhost:{}", address.port());
    let with_client = |variables: &[(&str, &str)]| {
        let mut all = variables.to_vec();
        all.extend([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", authority.path()),
        ]);
        exporter(address, &all)
    };

    let (key, key_files) = key_files();
    let certificate = pem_file(&clients.certificate(&key).pem());
    for key_file in &key_files {
        let exporter = with_client(&[
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", path(&certificate)),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", path(key_file)),
        ]);
        exporter.enqueue(spans(&["a"]), Vec::new());
        exporter.flush_for_invocation().await;
        exporter.shutdown().await.unwrap();
        assert_eq!(collector.received().await.names(), ["a"]);
    }

    let exporter = with_client(&[("FG_OTLP_FLUSH_TIMEOUT", "1s")]);
    exporter.enqueue(spans(&["a"]), Vec::new());
    let error = exporter.shutdown().await.unwrap_err().to_string();
    assert!(
        error.contains("CertificateRequired; set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and"),
        "{error}"
    );

    let unknown = pem_file(&authority.certificate(&key).pem());
    let exporter = with_client(&[
        ("FG_OTLP_FLUSH_TIMEOUT", "1s"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", path(&unknown)),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", path(&key_files[0])),
    ]);
    exporter.enqueue(spans(&["a"]), Vec::new());
    let error = exporter.shutdown().await.unwrap_err().to_string();
    assert!(
        error.contains("; the collector does not trust the client certificate; write"),
        "{error}"
    );
    assert!(!collector.has_received());
}

#[test]
fn unusable_client_certificate_is_an_error() {
    let authority = Authority::new();
    let (key, [key_file, _]) = key_files();
    let certificate = pem_file(&authority.certificate(&key).pem());
    let (_, [other_key, _]) = key_files();
    let error = |certificate: &str, key: &str| {
        let config = config(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector"),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", key),
        ]);
        let config = config.signal(Signal::Traces).unwrap().clone();
        let client = client::OtlpClient::new(Signal::Traces, config, &mut Vec::new());
        client.err().map(|error| error.to_string())
    };
    assert_eq!(error(path(&certificate), path(&key_file)), None);
    for (certificate, key, expected) in [
        (
            path(&certificate),
            path(&other_key),
            "does not contain the key of OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE (keys may not be consistent",
        ),
        (
            path(&certificate),
            path(&certificate),
            "contains no private key; write the path of a PEM file with a private key that is not encrypted",
        ),
        (
            path(&certificate),
            "/nonexistent.pem",
            "`/nonexistent.pem` cannot be opened (No such file",
        ),
        (
            path(&key_file),
            path(&key_file),
            "contains no certificate; write",
        ),
        (
            "/nonexistent.pem",
            path(&key_file),
            "`/nonexistent.pem` cannot be opened (No such file",
        ),
        (
            path(&certificate),
            "",
            "is set, but OTEL_EXPORTER_OTLP_CLIENT_KEY is not",
        ),
    ] {
        let error = error(certificate, key).unwrap();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("OTEL_EXPORTER_OTLP_CLIENT_") && !error.contains('\n'));
    }
}

#[tokio::test]
async fn certificates_of_the_system_are_trusted() {
    let authority = Authority::new();
    let mut collector = Collector::start_tls(authority.acceptor(None)).await;
    let endpoint = format!("https://localhost:{}", collector.address.port());
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let roots = pem_file(&format!("{broken}{}", authority.issuer.pem()));
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("SSL_CERT_FILE", path(&roots)),
    ];
    let exporter = exporter(collector.address, &variables);
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["a"]);
    exporter.shutdown().await.unwrap();

    // A file that cannot be used does not turn off the signal.
    for (file, problem) in [
        ("/nonexistent.pem", "cannot be opened (No such file"),
        (
            path(&pem_file(broken)),
            "contains no certificate; the bundled",
        ),
    ] {
        let config = config(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector"),
            ("SSL_CERT_FILE", file),
        ]);
        let config = config.signal(Signal::Traces).unwrap().clone();
        let mut diagnostics = Vec::new();
        client::OtlpClient::new(Signal::Traces, config, &mut diagnostics).unwrap();
        let [Diagnostic::Warning(warning)] = &*diagnostics else {
            panic!("{diagnostics:?}");
        };
        assert!(
            warning.starts_with(&format!(
                "cannot read SSL_CERT_FILE from the environment: `{file}` {problem}"
            )) && warning.ends_with("; the bundled root certificates are used"),
            "{warning}"
        );
    }
}
