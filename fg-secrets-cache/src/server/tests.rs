//! Tests of the HTTP interface, with a client that sends exact bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::listener::MAX_CONNECTIONS;
use super::*;
use crate::cache::Cache;
use crate::fake_source::{Behavior, FakeSource};
use crate::source::SourceError;
use crate::store::Lifetimes;
use crate::token::{Token, TokenConfig};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Longer than anything takes, unless it hangs.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

struct Fixture {
    source: FakeSource,
    cache: Arc<Cache>,
    address: SocketAddr,
    server: Server,
}

impl Fixture {
    fn start(behavior: Behavior) -> Self {
        let source = FakeSource::new(behavior);
        let lifetimes = Lifetimes {
            ttl: Duration::from_secs(300),
            stale: Duration::from_secs(300),
        };
        let timeout = Duration::from_millis(50);
        let cache = Cache::new(Box::new(source.clone()), lifetimes, timeout);
        let token = Token::create(TokenConfig::Setting(Zeroizing::new(TOKEN.to_owned())));
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self {
            source,
            address: listener.local_addr().unwrap(),
            server: Server::start(listener, Service::new(Arc::clone(&cache), token.unwrap())),
            cache,
        }
    }

    /// Sends a request on a new connection, and returns the response in lower case.
    async fn request(&self, request_line: &str, headers: &str) -> String {
        let request =
            format!("{request_line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        let read = stream.read_to_string(&mut response);
        tokio::time::timeout(TEST_TIMEOUT, read)
            .await
            .unwrap()
            .unwrap();
        response.to_ascii_lowercase()
    }

    async fn get(&self, path: &str) -> String {
        let headers = format!("X-Secrets-Token: {TOKEN}\r\n");
        self.request(&format!("GET {path}"), &headers).await
    }
}

/// A connection that stays open.
async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Sends a request on an open connection. Returns whether there is a response with the value `hunter2`.
async fn get_again(stream: &mut TcpStream) -> bool {
    let request = format!("GET /secrets/a HTTP/1.1\r\nhost: a\r\nx-secrets-token: {TOKEN}\r\n\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut response = Vec::new();
    let read = async {
        while !response.ends_with(b"hunter2") {
            match stream.read_u8().await {
                Ok(byte) => response.push(byte),
                Err(_) => return false,
            }
        }
        true
    };
    tokio::time::timeout(TEST_TIMEOUT, read).await.unwrap()
}

#[tokio::test]
async fn value_has_headers() {
    let fixture = Fixture::start(Behavior::Value("hunter2"));
    for path in ["/secrets/db/password", "/secrets/db%2Fpassword"] {
        let response = fixture.get(path).await;
        assert!(response.starts_with("http/1.1 200 ok\r\n"), "{response}");
        for header in [
            "content-type: application/octet-stream",
            "content-length: 7",
            "cache-control: no-store",
            "age: 0",
            "x-secret-version: 1",
        ] {
            assert!(
                response.contains(&format!("\r\n{header}\r\n")),
                "{response}"
            );
        }
        assert!(!response.contains("x-secret-stale"), "{response}");
        assert!(response.ends_with("\r\n\r\nhunter2"), "{response}");
    }
    assert_eq!(fixture.source.fetches(), 1);
    let value = fixture.get("/secrets/other").await;
    assert!(value.ends_with("hunter2"));
    // The source fails after the value has changed.
    fixture.source.set_version("2");
    fixture.source.set(Behavior::Hang);
    let response = fixture.get("/secrets/other").await;
    assert!(
        response.contains("\r\nx-secret-stale: true\r\n"),
        "{response}"
    );
}

#[tokio::test]
async fn errors_are_json_in_one_line() {
    let fixture = Fixture::start(Behavior::Value("hunter2"));
    let error = |response: String, status: u16| {
        assert!(
            response.starts_with(&format!("http/1.1 {status} ")),
            "{response}"
        );
        assert!(
            response.contains("content-type: application/json\r\n"),
            "{response}"
        );
        assert!(!response.contains("hunter2"), "{response}");
        let (_, body) = response.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        body["error"].as_str().unwrap().to_owned()
    };
    let path = "GET /secrets/a";
    assert_eq!(
        error(fixture.request(path, "").await, 401),
        "the header x-secrets-token is missing; send the value of fg_secrets_token"
    );
    for wrong in ["", "x", &TOKEN[1..]] {
        let response = fixture
            .request(path, &format!("X-Secrets-Token: {wrong}\r\n"))
            .await;
        assert!(error(response, 401).contains(" is wrong; "));
    }
    // Without the token, a path that does not exist is no different.
    assert!(error(fixture.request("POST /x", "").await, 401).contains("is missing"));
    assert!(error(fixture.get("/secrets").await, 404).contains("request /secrets/name"));
    for path in [
        "/secrets/",
        "/secrets/a%20b",
        "/secrets/..",
        "/secrets/a?",
        "/secrets/%2e%2e/x",
    ] {
        error(fixture.get(path).await, 400);
    }
    let token = format!("X-Secrets-Token: {TOKEN}\r\n");
    let response = fixture.request("POST /secrets/a", &token).await;
    assert!(response.contains("\r\nallow: get\r\n"), "{response}");
    assert_eq!(error(response, 405), "the method is not get");
    assert_eq!(fixture.source.fetches(), 0);

    for (name, behavior, status) in [
        ("b", Behavior::Fail(SourceError::not_found()), 404),
        ("c", Behavior::Fail(SourceError::denied("no\nentry")), 502),
        ("d", Behavior::Fail(SourceError::failed("broken")), 502),
        ("e", Behavior::Panic, 502),
        ("f", Behavior::Hang, 504),
    ] {
        fixture.source.set(behavior);
        error(fixture.get(&format!("/secrets/{name}")).await, status);
    }
    fixture.cache.shut_down().await;
    let response = fixture.get("/secrets/g").await;
    assert!(response.contains("\r\nretry-after: 1\r\n"), "{response}");
    error(response, 503);
}

#[tokio::test]
async fn head_of_a_request_is_bounded() {
    let fixture = Fixture::start(Behavior::Value("hunter2"));
    let large = format!("X-Large: {}\r\n", "x".repeat(32 << 10));
    let mut stream = connect(fixture.address).await;
    let request = format!("GET /secrets/a HTTP/1.1\r\n{large}\r\n");
    // The server may close the connection before everything is sent.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response).await;
    let response = String::from_utf8_lossy(&response);
    assert!(!response.contains("200"), "{response}");
    assert!(fixture.get("/secrets/a").await.ends_with("hunter2"));
}

#[tokio::test]
async fn idle_connection_is_closed_if_there_are_too_many() {
    let fixture = Fixture::start(Behavior::Value("hunter2"));
    let mut first = connect(fixture.address).await;
    assert!(get_again(&mut first).await);
    assert!(get_again(&mut first).await, "the connection is kept");
    let mut others = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut stream = connect(fixture.address).await;
        assert!(get_again(&mut stream).await);
        others.push(stream);
    }
    assert!(!get_again(&mut first).await);
    assert!(get_again(&mut others[MAX_CONNECTIONS - 1]).await);
    fixture.server.shut_down().await;
    assert!(!get_again(&mut others[MAX_CONNECTIONS - 1]).await);
    assert!(TcpStream::connect(fixture.address).await.is_err());
}

#[tokio::test]
async fn requests_that_arrive_at_once_are_all_served() {
    let fixture = Fixture::start(Behavior::Value("hunter2"));
    let request = format!(
        "GET /secrets/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-secrets-token: {TOKEN}\r\n\r\n"
    );
    // The server shares this thread, so it accepts the connections after all requests have been sent.
    let mut streams = Vec::new();
    for _ in 0..MAX_CONNECTIONS * 3 / 2 {
        let mut stream = std::net::TcpStream::connect(fixture.address).unwrap();
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        streams.push(TcpStream::from_std(stream).unwrap());
    }
    for mut stream in streams {
        let mut response = String::new();
        let read = stream.read_to_string(&mut response);
        let read = tokio::time::timeout(TEST_TIMEOUT, read).await.unwrap();
        assert!(read.is_ok() && response.ends_with("hunter2"), "{read:?}");
    }
    assert_eq!(fixture.source.fetches(), 1);
}
