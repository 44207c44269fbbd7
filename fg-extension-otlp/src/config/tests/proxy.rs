//! Tests of the settings of proxies.

use super::*;

/// Returns the proxy of an endpoint, its authorization, and the setting that names it.
fn proxy_of(
    endpoint: &str,
    variables: &[(&str, &str)],
) -> Option<(String, Option<String>, String)> {
    let mut all = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)];
    all.extend(variables);
    let config = read(&all).unwrap();
    assert_eq!(config.diagnostics, []);
    let proxies = signals(&config).map(|signal| signal.proxy.clone());
    let proxy = proxies.into_iter().next().flatten()?;
    assert!(!format!("{proxy:?}").contains("Basic"));
    let authorization = proxy.authorization.as_ref();
    let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
    Some((proxy.host().to_owned(), authorization, proxy.setting))
}

#[test]
fn proxy_depends_on_the_scheme() {
    let host = |proxy: Option<(String, _, String)>| proxy.map(|(host, _, name)| (host, name));
    let of = |host: &str, name: &str| Some((host.to_owned(), name.to_owned()));
    let (http, https) = ("http://c.example:4318", "https://c.example");
    let both = [("HTTP_PROXY", "http://plain:1"), ("https_proxy", "tls:2")];
    assert_eq!(host(proxy_of(http, &both)), of("plain:1", "HTTP_PROXY"));
    assert_eq!(host(proxy_of(https, &both)), of("tls:2", "https_proxy"));
    let all = [
        ("all_proxy", "http://all:3"),
        ("HTTP_PROXY", "http://upper:1"),
        ("http_proxy", "http://lower:1"),
    ];
    assert_eq!(host(proxy_of(http, &all)), of("upper:1", "HTTP_PROXY"));
    assert_eq!(host(proxy_of(https, &all)), of("all:3", "all_proxy"));
    assert_eq!(proxy_of(https, &[("HTTP_PROXY", "http://plain:1")]), None);
}

#[test]
fn proxy_has_exceptions() {
    for (endpoint, no_proxy, has_proxy) in [
        ("http://collector.example", "", true),
        ("http://collector.example", "example", false),
        ("http://collector.example", "other, .example", false),
        ("http://collector.example", "collector", true),
        ("http://collector.example", "*", false),
        ("http://10.1.2.3:4318", "10.0.0.0/8", false),
        ("http://10.1.2.3:4318", "10.1.2.4", true),
        ("http://10.1.2.3:4318", "other, *", false),
        ("http://[2001:db8::1]:4318", "2001:db8::/32", false),
        ("http://[2001:db8::1]:4318", "*", false),
        ("http://[2001:db8::1]:4318", "[2001:db8::1]", false),
        ("http://[2001:db8::1]:4318", "[2001:db8::1]:4318", false),
        ("http://[2001:db8::1]:4318", "[2001:db8::1]:80", true),
        ("http://collector.example", "*.example", false),
        ("http://collector.example", "*.other.example", true),
        ("http://localhost:4318", "", false),
        ("http://LOCALHOST.:4318", "", false),
        ("http://127.0.0.2:4318", "", false),
        ("http://[::1]:4318", "", false),
        ("http://[::ffff:127.0.0.1]:4318", "", false),
        ("http://collector:4318", "collector:4318", false),
        ("http://collector:4318", "collector:80, other:4318", true),
        ("http://collector", "collector:80", false),
    ] {
        let variables = [("HTTP_PROXY", "http://proxy:1"), ("NO_PROXY", no_proxy)];
        let proxy = proxy_of(endpoint, &variables);
        assert_eq!(proxy.is_some(), has_proxy, "{endpoint} {no_proxy}");
    }
}

#[test]
fn user_name_of_a_proxy_becomes_its_authorization() {
    let (host, authorization, _) = proxy_of(
        "https://collector.example",
        &[("HTTPS_PROXY", "http://me:p%40ss@proxy.example:3128/")],
    )
    .unwrap();
    assert_eq!(host, "proxy.example:3128");
    // `me:p@ss` in Base64.
    assert_eq!(authorization.as_deref(), Some("Basic bWU6cEBzcw=="));
}

#[test]
fn unusable_proxy_is_reported_without_its_value() {
    for value in [
        "https://me:secret@proxy:1",
        "socks5://me:secret@proxy:1",
        "http://me:secret@",
        "http://secret secret",
        "me:secret",
        "http://me:se@cret@proxy:1",
        "http://proxy:65536",
        "http://proxy:0",
    ] {
        let (config, warning) = read_with_warning(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector"),
            ("HTTP_PROXY", value),
        ]);
        assert!(signals(&config).iter().all(|it| it.proxy.is_none()));
        assert_eq!(
            warning,
            "cannot read HTTP_PROXY from the environment: the value is not the `http://` URL of a proxy; \
             write a URL such as `http://proxy.example:3128`; the setting is ignored"
        );
    }
}
