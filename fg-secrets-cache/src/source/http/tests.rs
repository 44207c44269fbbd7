//! Tests with an HTTP server that sends exact bytes, with and without TLS.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use fg_extension::SettingSource;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::source::SourceErrorKind;

fn setting(name: &str, value: &str) -> Setting {
    Setting::new(name, value, SettingSource::Environment).unwrap()
}

fn source(settings: &[(&str, &str)]) -> HttpSource {
    let lookup = |name: &str| {
        let value = settings.iter().find(|(it, _)| *it == name);
        Ok(value.map(|(name, value)| setting(name, value)))
    };
    HttpSource::read(&lookup).unwrap()
}

async fn fetch(source: &HttpSource) -> Result<Fetched, SourceError> {
    source.fetch(&SecretName::new("db/password").unwrap()).await
}

/// Reads the head of a request, responds to it, and returns the head.
async fn respond(mut stream: impl AsyncRead + AsyncWrite + Unpin, response: &[u8]) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(response).await.unwrap();
    stream.shutdown().await.unwrap();
    String::from_utf8(head).unwrap()
}

/// Serves one request.
async fn serve(response: String) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        respond(stream, response.as_bytes()).await
    });
    (address, server)
}

#[tokio::test]
async fn value_is_the_body() {
    let response = "HTTP/1.1 200 OK\r\netag: \"v7\"\r\ncontent-length: 7\r\n\r\nhunter2";
    let (address, server) = serve(response.to_owned()).await;
    let url = format!("http://{address}/v1/{{name}}?version=latest");
    let headers = ("FG_SECRETS_HEADERS", "X-Vault-Token=abc%20d");
    let source = source(&[("FG_SECRETS_URL", &url), headers]);
    let fetched = fetch(&source).await.unwrap();
    assert_eq!(**fetched.value, *b"hunter2");
    assert_eq!(fetched.version.as_deref(), Some("v7"));
    let head = server.await.unwrap();
    assert!(
        head.starts_with("GET /v1/db/password?version=latest HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("x-vault-token: abc d\r\n"), "{head}");
    assert!(head.contains(&format!("host: {address}\r\n")), "{head}");
    assert!(!format!("{source:?}").contains("abc"), "{source:?}");
}

#[tokio::test]
async fn other_statuses_are_errors_without_the_body() {
    for (status, kind) in [
        ("404 Not Found", SourceErrorKind::NotFound),
        ("403 Forbidden", SourceErrorKind::Denied),
        (
            "302 Found\r\nlocation: http://127.0.0.1:1/",
            SourceErrorKind::Failed,
        ),
        ("500 Oops", SourceErrorKind::Failed),
        (
            "200 OK\r\nx: y\r\ncontent-length: 100",
            SourceErrorKind::Failed,
        ),
        ("200 OK\r\ncontent-length: 9999999", SourceErrorKind::Failed),
        (
            "200 OK\r\ntransfer-encoding: chunked",
            SourceErrorKind::Failed,
        ),
        ("garbage", SourceErrorKind::Failed),
    ] {
        let (address, server) = serve(format!("HTTP/1.1 {status}\r\n\r\nhunter2")).await;
        let url = format!("http://{address}/{{name}}?key=hunter2");
        let error = fetch(&source(&[("FG_SECRETS_URL", &url)]))
            .await
            .unwrap_err();
        server.await.unwrap();
        assert_eq!(error.kind(), kind, "{status}: {error}");
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn certificate_is_checked() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = NamedTempFile::new().unwrap();
    roots.write_all(certified.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}/{{name}}",
        listener.local_addr().unwrap().port()
    );
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        assert!(acceptor.accept(stream).await.is_err());
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        respond(
            stream,
            b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nhunter2",
        )
        .await
    });
    let url = ("FG_SECRETS_URL", url.as_str());
    let error = fetch(&source(&[url])).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot connect to localhost:"), "{error}");
    assert!(error.contains("invalid peer certificate"), "{error}");
    let roots = ("SSL_CERT_FILE", roots.path().to_str().unwrap());
    let fetched = fetch(&source(&[url, roots])).await.unwrap();
    assert_eq!(**fetched.value, *b"hunter2");
    server.await.unwrap();
}

#[tokio::test]
async fn source_that_is_down_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/{{name}}?key=hunter2");
    let error = fetch(&source(&[("FG_SECRETS_URL", &url)]))
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(&format!("cannot connect to {address}: ")),
        "{message}"
    );
    assert!(message.contains("Connection refused"), "{message}");
}

#[test]
fn url_has_a_name_and_is_encrypted() {
    let name = SecretName::new("db/pass.word").unwrap();
    for (template, url) in [
        ("https://vault/{name}", "https://vault/db/pass.word"),
        (
            "https://vault:8200?n={name}",
            "https://vault:8200/?n=db/pass.word",
        ),
        (
            "http://127.0.0.1:1/{name}/{name}?k=1",
            "http://127.0.0.1:1/db/pass.word/db/pass.word?k=1",
        ),
        ("http://localhost/{name}", "http://localhost/db/pass.word"),
    ] {
        let template = UrlTemplate::parse(&setting(URL_SETTING, template)).unwrap();
        assert_eq!(template.with_name(&name).unwrap().to_string(), url);
    }
    for (template, problem) in [
        ("https://vault/", "has no `{name}`; "),
        ("https://{name}/", "has its `{name}` before the path; "),
        (
            "http://127.vault.example/{name}",
            "would send secrets without encryption; ",
        ),
        (
            "http://vault/{name}",
            "would send secrets without encryption; ",
        ),
        ("https://me:hunter2@vault/{name}", "contains a user name; "),
        ("vault/{name}", "is not a URL"),
        (
            "ftp://vault/{name}",
            "is not a URL that starts with `https://`; ",
        ),
        ("https:// vault/{name}", "is not a URL; "),
    ] {
        let error = UrlTemplate::parse(&setting(URL_SETTING, template))
            .err()
            .unwrap();
        let error = error.to_string();
        assert!(error.contains(&format!("the value {problem}")), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn headers_are_pairs() {
    let parse = |value| parse_headers(&setting(HEADERS_SETTING, value));
    let headers = parse("X-Vault-Token=hunter2, X-Tenant=a%20b%2C").unwrap();
    assert_eq!(headers["x-vault-token"], "hunter2");
    assert_eq!(headers["x-tenant"], "a b,");
    assert!(!format!("{headers:?}").contains("hunter2"));
    for (value, problem) in [
        ("a=1,hunter2", "entry 2 has no `=`"),
        (
            "Authorization: Bearer hunter2=",
            "entry 1 has no valid header name before its `=`",
        ),
        (
            "a=hunter2%0a",
            "entry 1 has no valid header value after its `=`",
        ),
        (
            "Host=hunter2",
            "entry 1 is a header that the client itself sets",
        ),
    ] {
        let error = parse(value).unwrap_err().to_string();
        assert!(
            error.contains(problem) && !error.contains("hunter2"),
            "{error}"
        );
    }
}
