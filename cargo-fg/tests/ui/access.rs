//! Tests of what is served to whom.

use std::io::{Read, Write};

use nix::sys::signal::Signal;

use super::start_python;
use crate::dev::running::TestContext;

#[test]
fn page_is_served_with_its_headers() {
    let context = TestContext::new();
    let (_dev, page) = start_python(&context, &[]);
    for (path, content_type, start) in [
        ("/", "text/html; charset=utf-8", "<!doctype html>"),
        ("/app.js", "text/javascript; charset=utf-8", "(() => {"),
        ("/style.css", "text/css; charset=utf-8", ""),
    ] {
        let response = page.get(path);
        assert_eq!(response.status, 200);
        assert!(response.text().starts_with(start), "{path}");
        for (name, value) in [
            ("content-type", content_type),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "content-security-policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; worker-src blob:; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
        ] {
            assert_eq!(response.header(name), Some(value), "{path}");
        }
        let host = format!("localhost:{}", page.0);
        let head = page.request("HEAD", path, &[("host", &host)], b"");
        assert_eq!((head.status, head.text().as_str()), (200, ""));
        let length = response.body.len().to_string();
        assert_eq!(head.header("content-length"), Some(&*length));
    }
}

#[test]
fn unknown_paths_and_methods_are_rejected() {
    let context = TestContext::new();
    let (_dev, page) = start_python(&context, &[]);
    for path in ["/nope", "/index.html", "/../Cargo.toml", "/api", "//"] {
        let response = page.get(path);
        assert_eq!(response.status, 404, "{path}");
        let content_type = response.header("content-type");
        assert_eq!(content_type, Some("text/plain; charset=utf-8"));
    }
    for path in [
        "/api/",
        "/api/nope",
        "/api/detail/",
        "/api/detail/x",
        "/api/detail/-1",
        "/api/detail/99999999",
        "/api/invoke/",
    ] {
        let response = page.get(path);
        assert_eq!(response.status, 404, "{path}");
        assert!(response.json()["error"].is_string());
    }
    let host = format!("127.0.0.1:{}", page.0);
    let headers = [("host", &*host), ("content-type", "application/json")];
    for (method, path, allowed) in [
        ("POST", "/", "GET, HEAD"),
        ("PUT", "/app.js", "GET, HEAD"),
        ("OPTIONS", "/api/invoke", "POST"),
        ("DELETE", "/api/events", "GET, HEAD"),
        ("POST", "/api/detail/1", "GET, HEAD"),
        ("GET", "/api/invoke", "POST"),
        ("HEAD", "/api/shutdown", "POST"),
    ] {
        let response = page.request(method, path, &headers, b"");
        assert_eq!(response.status, 405, "{method} {path}");
        assert_eq!(response.header("allow"), Some(allowed), "{method} {path}");
        let origin = response.header("access-control-allow-origin");
        assert_eq!(origin, None);
    }
}

#[test]
fn requests_of_other_origins_are_rejected() {
    let context = TestContext::new();
    let (mut dev, page) = start_python(&context, &[]);
    let host = format!("127.0.0.1:{}", page.0);
    let json = ("content-type", "application/json");
    for headers in [
        &[json][..],
        &[("host", "evil.example"), json],
        &[("host", "127.0.0.1"), json],
        &[("host", "127.0.0.1:1"), json],
        &[("host", &host), json, ("origin", "http://evil.example")],
        &[("host", &host), json, ("origin", "null")],
        &[("host", &host), json, ("sec-fetch-site", "cross-site")],
        &[("host", &host), json, ("sec-fetch-site", "same-site")],
        &[("host", &host), ("content-type", "text/plain")],
        &[("host", &host)],
    ] {
        let response = page.request("POST", "/api/shutdown", headers, b"{}");
        assert_eq!(response.status, 403, "{headers:?}");
        let error = response.json()["error"].as_str().unwrap().to_owned();
        assert!(!error.contains('\n'), "{error}");
    }
    let response = page.request("GET", "/", &[("host", "evil.example")], b"");
    assert_eq!(response.status, 403);
    assert_eq!(response.text().lines().count(), 1);
    // None of them had an effect.
    let origin = format!("http://localhost:{}", page.0);
    let headers = [
        ("host", &*host),
        ("origin", &origin),
        ("sec-fetch-site", "same-origin"),
        json,
    ];
    let response = page.request("POST", "/api/invoke", &headers, b"{}");
    assert_eq!(response.status, 202, "{}", response.text());
    dev.line("invoked #2 ");
    assert!(!dev.seen().iter().any(|line| line.starts_with("stopped ")));
}

#[test]
fn old_and_broken_requests_are_rejected() {
    let context = TestContext::new();
    let (_dev, page) = start_python(&context, &[]);
    for (request, status) in [
        ("GET / HTTP/1.0\r\n\r\n", "403"),
        ("GET / HTTP/1.1\r\n\r\n", "403"),
        (
            "CONNECT evil.example:80 HTTP/1.1\r\nhost: evil.example:80\r\n\r\n",
            "403",
        ),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let mut stream = page.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(
            std::str::from_utf8(&head[9..]).unwrap(),
            status,
            "{request}"
        );
    }
    let mut stream = page.connect();
    let request = format!("GET / HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nx: ", page.0);
    stream.write_all(request.as_bytes()).unwrap();
    // The connection is closed before the header is complete.
    let filler = vec![b'x'; 1024 * 1024];
    let _ = stream.write_all(&filler);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    let text = String::from_utf8_lossy(&response);
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 431 "),
        "{text}"
    );
}

#[test]
fn idle_connections_do_not_delay_the_exit() {
    let context = TestContext::new();
    let (dev, page) = start_python(&context, &[]);
    let _idle: Vec<_> = (0..100).map(|_| page.connect()).collect();
    let mut incomplete = page.connect();
    incomplete
        .write_all(b"POST /api/invoke HTTP/1.1\r\n")
        .unwrap();
    let mut body = page.connect();
    let head = format!(
        "POST /api/invoke HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n",
        page.0
    );
    body.write_all(head.as_bytes()).unwrap();
    // They have been accepted, since another request is served.
    assert_eq!(page.get("/").status, 200);
    dev.signal(Signal::SIGTERM);
    assert!(dev.wait_for_exit().1.success());
}
