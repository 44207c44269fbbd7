//! Tests of proxies.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::collector::{Collector, ScriptedResponse};
use super::tls::Authority;
use super::*;

/// A proxy that tunnels to one address, or forwards requests to it.
struct Proxy {
    address: SocketAddr,
    /// The heads of all requests to the proxy.
    heads: mpsc::UnboundedReceiver<String>,
}

impl Proxy {
    /// Starts a proxy that responds to a request for a tunnel with this status line.
    async fn start(target: SocketAddr, status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, heads) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(client, target, status, sender.clone()));
            }
        });
        Self { address, heads }
    }

    fn url(&self) -> String {
        format!("http://me:p%40ss@{}", self.address)
    }
}

async fn serve(
    mut client: TcpStream,
    target: SocketAddr,
    status: &str,
    heads: mpsc::UnboundedSender<String>,
) {
    let mut read = Vec::new();
    let end = loop {
        client.read_buf(&mut read).await.unwrap();
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    let is_tunnel = head.starts_with("CONNECT ");
    heads.send(head).unwrap();
    if is_tunnel {
        let response = format!("HTTP/1.1 {status}\r\n\r\n");
        client.write_all(response.as_bytes()).await.unwrap();
        if !status.starts_with("200") {
            return;
        }
    }
    let mut server = TcpStream::connect(target).await.unwrap();
    if !is_tunnel {
        server.write_all(&read).await.unwrap();
    }
    // An error means that one side closed its connection.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

#[tokio::test]
async fn plain_request_is_forwarded_by_the_proxy() {
    let mut collector = Collector::start().await;
    let mut proxy = Proxy::start(collector.address, "").await;
    let exporter = exporter(
        collector.address,
        &[
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "http://collector.example:4318/otlp",
            ),
            ("HTTP_PROXY", &proxy.url()),
        ],
    );
    for name in ["a", "b"] {
        exporter.enqueue(spans(&[name]), Vec::new());
        exporter.flush_for_invocation().await;
        let request = collector.received().await;
        assert_eq!(
            (request.names().remove(0).as_str(), request.connection),
            (name, 0)
        );
        assert_eq!(request.headers["host"], "collector.example:4318");
        assert_eq!(request.headers["proxy-authorization"], "Basic bWU6cEBzcw==");
    }
    let head = proxy.heads.recv().await.unwrap();
    assert!(
        head.starts_with("POST http://collector.example:4318/otlp/v1/traces HTTP/1.1\r\n"),
        "{head}"
    );
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn tls_request_is_tunneled_by_the_proxy() {
    let authority = Authority::new();
    let mut collector = Collector::start_tls(authority.acceptor(None)).await;
    let mut proxy = Proxy::start(collector.address, "200 Connection established").await;
    let exporter = exporter(
        collector.address,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", authority.path()),
            ("HTTPS_PROXY", &proxy.url()),
        ],
    );
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    let request = collector.received().await;
    assert_eq!(request.names(), ["a"]);
    assert!(!request.headers.contains_key("proxy-authorization"));
    assert_eq!(
        proxy.heads.recv().await.unwrap(),
        "CONNECT collector.example:443 HTTP/1.1\r\nHost: collector.example:443\r\n\
         Proxy-Authorization: Basic bWU6cEBzcw==\r\n\r\n"
    );
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn failure_of_a_proxy_names_it_without_its_credentials() {
    let (_socket, closed) = reserve_address();
    let rejecting = Proxy::start(closed, "407 Proxy Authentication Required").await;
    let refusing = Proxy::start(closed, "403 Forbidden").await;
    let closed_url = format!("http://me:p%40ss@{closed}");
    for (name, url, address, endpoint, problem) in [
        (
            "https_proxy",
            rejecting.url(),
            rejecting.address,
            "https://collector.example",
            "tunnel error: proxy authorization required; write the user name and the password into the URL of the proxy, ",
        ),
        (
            "HTTPS_PROXY",
            refusing.url(),
            refusing.address,
            "https://collector.example",
            "tunnel error: unsuccessful; the proxy refuses to connect to this host; allow it in the proxy, or add",
        ),
        (
            "HTTPS_PROXY",
            closed_url.clone(),
            closed,
            "https://collector.example",
            "tcp connect error",
        ),
        (
            "ALL_PROXY",
            closed_url,
            closed,
            "http://collector.example",
            "tcp connect error",
        ),
    ] {
        let exporter = exporter(
            closed,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
                ("FG_OTLP_FLUSH_TIMEOUT", "0"),
                (name, &url),
            ],
        );
        exporter.enqueue(spans(&["a"]), Vec::new());
        let error = exporter.shutdown().await.unwrap_err().to_string();
        assert!(
            error.contains(problem)
                && error.contains(&format!(", through the proxy {address} of {name})")),
            "{error}"
        );
        assert!(
            !error.contains("p%40ss") && !error.contains("p@ss"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn credentials_that_a_response_quotes_are_masked() {
    let collector = Collector::start().await;
    let proxy = Proxy::start(collector.address, "").await;
    let exporter = exporter(
        collector.address,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example"),
            ("HTTP_PROXY", &proxy.url()),
        ],
    );
    collector.will_respond(ScriptedResponse::with(
        407,
        &[],
        b"wrong: Basic bWU6cEBzcw==",
    ));
    exporter.enqueue(spans(&["a"]), Vec::new());
    let error = exporter.shutdown().await.unwrap_err().to_string();
    assert!(
        error.contains("Authentication Required: wrong: Basic ***; write the user name"),
        "{error}"
    );
}
