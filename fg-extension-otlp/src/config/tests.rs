//! Tests of the settings: their defaults, their values, and the messages about invalid ones.

use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
    Config::from_variables(|name| {
        let mut variables = variables.iter();
        let found = variables.find(|(variable, _)| *variable == name);
        found.map(|(_, value)| *value)
    })
    .map(|config| config.unwrap())
    .map_err(|error| error.to_string())
}

fn signals(config: &Config) -> [&SignalConfig; 3] {
    Signal::ALL.map(|signal| config.signal(signal).unwrap())
}

fn endpoints(config: &Config) -> [String; 3] {
    signals(config).map(|signal| signal.endpoint.to_string())
}

/// Reads a configuration that causes exactly one warning, and returns both.
fn read_with_warning(variables: &[(&str, &str)]) -> (Config, String) {
    let config = read(variables).unwrap();
    let [Diagnostic::Warning(warning)] = &*config.diagnostics else {
        panic!("{:?}", config.diagnostics);
    };
    let warning = warning.clone();
    (config, warning)
}

#[test]
fn defaults_follow_the_specification_except_for_gzip() {
    for variables in [
        &[][..],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", " "),
            ("OTEL_EXPORTER_OTLP_HEADERS", ""),
            ("OTEL_SERVICE_NAME", ""),
            ("OTEL_SDK_DISABLED", ""),
            ("FG_OTLP_BUFFER", ""),
        ],
    ] {
        let config = read(variables).unwrap();
        assert_eq!(
            endpoints(&config),
            [
                "http://localhost:4318/v1/traces",
                "http://localhost:4318/v1/metrics",
                "http://localhost:4318/v1/logs"
            ]
        );
        assert_eq!(config.resource.service_name, None);
        assert_eq!(config.resource.attributes, []);
        assert_eq!(config.flush_mode, FlushMode::Adaptive);
        assert_eq!(config.flush_interval, Duration::from_secs(5));
        assert_eq!(config.flush_timeout, Duration::from_millis(400));
        assert_eq!(config.buffer, 4 * 1024 * 1024);
        assert_eq!(config.diagnostics, []);
        for signal in signals(&config) {
            assert!(
                signal.compression == Compression::Gzip
                    && signal.headers.is_empty()
                    && signal.tls.certificate.is_none()
            );
            assert_eq!(signal.timeout, Duration::from_secs(10));
        }
    }
}

#[test]
fn common_endpoint_is_the_prefix_of_all_three() {
    for (value, below) in [
        ("http://collector", "http://collector"),
        ("http://collector:4318/", "http://collector:4318"),
        ("HTTPS://Collector.Example//", "https://Collector.Example"),
        ("https://example.com/otlp", "https://example.com/otlp"),
        (
            "https://example.com:8443/a/b/",
            "https://example.com:8443/a/b",
        ),
        ("http://[::1]:4318", "http://[::1]:4318"),
        ("http://[2001:db8::1]/otlp/", "http://[2001:db8::1]/otlp"),
        ("http://10.0.0.1", "http://10.0.0.1"),
    ] {
        let config = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", value)]).unwrap();
        assert_eq!(
            endpoints(&config),
            ["traces", "metrics", "logs"].map(|signal| format!("{below}/v1/{signal}")),
            "{value}"
        );
    }
    let config = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://a/otlp/?key=b")]).unwrap();
    assert_eq!(endpoints(&config)[2], "https://a/otlp/v1/logs?key=b");
}

#[test]
fn signal_endpoint_is_used_unchanged() {
    for (value, used) in [
        ("http://traces:4318", "http://traces:4318/"),
        ("http://traces:4318/", "http://traces:4318/"),
        ("https://traces/api/traces/", "https://traces/api/traces/"),
        ("https://traces/t?a=b", "https://traces/t?a=b"),
    ] {
        let config = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value),
        ])
        .unwrap();
        assert_eq!(
            endpoints(&config),
            [used, "http://all/v1/metrics", "http://all/v1/logs"]
        );
    }
}

#[test]
fn signal_with_an_invalid_endpoint_is_disabled() {
    for (value, shown, why) in [
        ("collector:4318", "", "does not start with"),
        ("collector", "", "does not start with"),
        ("/v1/traces", "", "does not start with"),
        ("ftp://collector", "", "does not start with"),
        ("grpc://collector:4317", "", "is for gRPC"),
        ("http:collector:4318", "", "does not start with"),
        ("unix:///var/run/otlp", "", "does not start with"),
        ("http://", "", "is not a URL"),
        ("http://a b", "", "is not a URL"),
        ("http://:4318", "", "has no host"),
        (
            "http://collector:99999",
            "",
            "has no host, or a port outside",
        ),
        ("http://collector:0", "", "has no host, or a port outside"),
        ("http://::1:4318", "", ""),
        (
            "https://me:secret@host/x",
            "the value",
            "contains a user name",
        ),
        ("me:secret@host", "the value", "does not start with"),
        ("host:1?key=secret", "the value", "does not start with"),
        ("http://a b?key=secret", "the value", "is not a URL"),
        ("http://a b#secret", "the value", "is not a URL"),
    ] {
        let shown = match shown {
            "" => format!("`{value}`"),
            shown => shown.to_owned(),
        };
        for (name, on) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", [false; 3]),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", [true, true, false]),
        ] {
            let config = read(&[(name, value)]).unwrap();
            let is_on = |signal| config.signal(signal).is_some();
            assert_eq!(Signal::ALL.map(is_on), on);
            let [Diagnostic::Error(error)] = &*config.diagnostics else {
                panic!("{:?}", config.diagnostics);
            };
            assert!(
                error.starts_with(&format!(
                    "cannot read {name} from the environment: {shown} {why}"
                )) && error.ends_with("; the signals that use it are disabled"),
                "{error}"
            );
            assert!(!error.contains("secret"), "{error}");
        }
    }
}

#[test]
fn headers_are_decoded_and_hidden() {
    let config = read(&[
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "api-key=secret, Authorization = Basic%20dXNlcjpwYXNz==,,x-a=b c,",
        ),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-only=logs"),
    ])
    .unwrap();
    let [traces, metrics, logs] = signals(&config);
    let headers = &traces.headers;
    assert_eq!(headers.len(), 3);
    assert_eq!(headers["api-key"], "secret");
    assert_eq!(headers["authorization"], "Basic dXNlcjpwYXNz==");
    assert_eq!(headers["x-a"], "b c");
    assert_eq!(headers, &metrics.headers);
    assert_eq!(logs.headers.len(), 1);
    assert_eq!(logs.headers["x-only"], "logs");
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn invalid_header_is_reported_without_its_value() {
    for (value, problem) in [
        ("a=b,secret", "entry 2 has no `=`"),
        ("=secret", "entry 1 has no valid header name before its `=`"),
        (
            "authorization: Basic secret==",
            "entry 1 has no valid header name before its `=`",
        ),
        (
            "content-type=secret",
            "the exporter itself sets `content-type`",
        ),
        ("a=secret%", "the value of `a` is not a valid header value"),
        (
            "a=secret%zz",
            "the value of `a` is not a valid header value",
        ),
        (
            "a=secret%+1",
            "the value of `a` is not a valid header value",
        ),
        (
            "a=secret%ff",
            "the value of `a` is not a valid header value",
        ),
        (
            "a=secret%0a",
            "the value of `a` is not a valid header value",
        ),
    ] {
        // The other headers are sent.
        let (value, key) = (
            format!("{value},api-key=valid"),
            "OTEL_EXPORTER_OTLP_HEADERS",
        );
        let (config, error) = read_with_warning(&[(key, &value)]);
        for signal in signals(&config) {
            assert_eq!(signal.headers["api-key"], "valid");
            assert_eq!(signal.headers.contains_key("a"), value.starts_with("a=b,"));
        }
        assert!(
            error.starts_with(&format!(
                "cannot read OTEL_EXPORTER_OTLP_HEADERS from the environment: {problem}; "
            )) && error.contains("write pairs such as `api-key=secret")
                && error.ends_with("; this header is not sent"),
            "{error}"
        );
        assert_eq!(error.matches("secret").count(), 1, "{error}");
    }
}

#[test]
fn fragment_of_an_endpoint_is_ignored_with_a_warning() {
    let (config, warning) = read_with_warning(&[(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "https://collector/otlp?key=a#secret",
    )]);
    assert_eq!(
        endpoints(&config)[0],
        "https://collector/otlp/v1/traces?key=a"
    );
    assert_eq!(
        warning,
        "cannot read OTEL_EXPORTER_OTLP_ENDPOINT from the environment: a request cannot contain a fragment; \
         the part from `#` on is ignored"
    );
}

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

#[test]
fn client_certificate_needs_a_key() {
    for (name, missing) in [
        (
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        ),
        (
            "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY",
            "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
        ),
    ] {
        let config = read(&[(name, "/a.pem")]).unwrap();
        let error = signals(&config)[Signal::Logs.index()].tls.client();
        assert_eq!(
            error.unwrap_err().to_string(),
            format!("{name} is set, but {missing} is not; set both to use a client certificate")
        );
    }
    // The two may come from different settings.
    let config = read(&[
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/a.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/b.pem"),
        ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", "/c.pem"),
    ])
    .unwrap();
    let keys = signals(&config).map(|signal| {
        let (certificate, key) = signal.tls.client().unwrap().unwrap();
        assert_eq!(certificate.value(), "/a.pem");
        key.value().to_owned()
    });
    assert_eq!(keys, ["/b.pem", "/b.pem", "/c.pem"]);
}

#[test]
fn timeout_is_in_milliseconds_up_to_an_hour() {
    for (value, millis) in [
        ("2500", 2500),
        ("0", 3_600_000),
        ("3600001", 3_600_000),
        ("99999999999999999999", 3_600_000),
    ] {
        let config = read(&[("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", value)]).unwrap();
        let [traces, metrics, _] = signals(&config);
        assert_eq!(metrics.timeout, Duration::from_millis(millis));
        assert_eq!(traces.timeout, Duration::from_secs(10));
        assert_eq!(config.diagnostics, []);
    }
    for value in ["10s", "-1", "+1", "1.5"] {
        let (config, warning) = read_with_warning(&[
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", value),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
        ]);
        assert!(
            signals(&config)
                .iter()
                .all(|it| it.timeout == Duration::from_secs(2))
        );
        assert_eq!(
            warning,
            format!(
                "cannot read OTEL_EXPORTER_OTLP_TRACES_TIMEOUT from the environment: `{value}` is not a number of milliseconds; \
                 write a number such as `10000`; the setting is ignored"
            )
        );
    }
}

#[test]
fn compression_is_gzip_or_none() {
    let config = read(&[
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "GZIP"),
    ])
    .unwrap();
    assert_eq!(
        signals(&config).map(|it| it.compression),
        [Compression::None, Compression::None, Compression::Gzip]
    );
    let (config, warning) = read_with_warning(&[("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")]);
    assert!(
        signals(&config)
            .iter()
            .all(|it| it.compression == Compression::Gzip)
    );
    assert_eq!(
        warning,
        "cannot read OTEL_EXPORTER_OTLP_COMPRESSION from the environment: `zstd` is not a supported compression; write `gzip` or `none`; \
         the setting is ignored"
    );
}

#[test]
fn unsupported_protocol_is_a_warning() {
    // The common protocol is not supported, but each signal overrides it.
    let own =
        ["TRACES", "METRICS", "LOGS"].map(|signal| format!("OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"));
    let mut variables = vec![("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    variables.extend(own.iter().map(|name| (name.as_str(), "HTTP/Protobuf")));
    assert_eq!(read(&variables).unwrap().diagnostics, []);

    for (name, value, what) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "usually 4318"),
        (
            "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
            "http/json",
            "accept at the same endpoint",
        ),
    ] {
        let (config, warning) = read_with_warning(&[(name, value)]);
        signals(&config);
        assert!(
            warning.starts_with(&format!(
                "cannot read {name} from the environment: `{value}` is not a supported protocol"
            )) && warning.contains("write `http/protobuf`")
                && warning.contains(what),
            "{warning}"
        );
    }
}

#[test]
fn signal_without_an_exporter_is_disabled() {
    let config = read(&[
        ("OTEL_TRACES_EXPORTER", "None"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
    ])
    .unwrap();
    let is_on = |signal| config.signal(signal).is_some();
    assert_eq!(Signal::ALL.map(is_on), [false, true, true]);
    assert_eq!(config.diagnostics, []);

    let (config, warning) = read_with_warning(&[("OTEL_METRICS_EXPORTER", "prometheus")]);
    signals(&config);
    assert_eq!(
        warning,
        "cannot read OTEL_METRICS_EXPORTER from the environment: `prometheus` is not a supported exporter; \
         write `otlp` or `none`; the setting is ignored"
    );
}

#[test]
fn certificate_is_a_path() {
    let config = read(&[
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/opt/ca.pem"),
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/opt/traces.pem"),
    ])
    .unwrap();
    let certificate = |setting: &str, path: &str| {
        Setting::new(setting, path, fg_extension::SettingSource::Environment)
    };
    assert_eq!(
        signals(&config)[Signal::Traces.index()].tls.certificate,
        certificate("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/opt/traces.pem")
    );
    assert_eq!(
        signals(&config)[Signal::Logs.index()].tls.certificate,
        certificate("OTEL_EXPORTER_OTLP_CERTIFICATE", "/opt/ca.pem")
    );
}

#[test]
fn resource_has_the_configured_attributes() {
    let config = read(&[
        ("OTEL_SERVICE_NAME", "orders"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "team=a%20b, tier = 1 ,c%3Dd=e=f,",
        ),
    ])
    .unwrap();
    assert_eq!(config.resource.service_name.as_deref(), Some("orders"));
    let expected = [("team", "a b"), ("tier", "1"), ("c=d", "e=f")];
    assert_eq!(
        config.resource.attributes,
        expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
    // The message contains only the invalid entry, since the others may be secret.
    for (value, invalid) in [
        ("team", "team"),
        ("a=secret,team,b=secret", "team"),
        ("=b", "=b"),
        ("c=secret,a=%f", "a=%f"),
    ] {
        let (config, error) = read_with_warning(&[("OTEL_RESOURCE_ATTRIBUTES", value)]);
        assert_eq!(config.resource.attributes, []);
        assert!(
            error.starts_with(&format!(
                "cannot read OTEL_RESOURCE_ATTRIBUTES from the environment: `{invalid}` is not a `key=value` pair; write"
            )) && !error.contains("secret"),
            "{error}"
        );
    }
}

#[test]
fn sdk_disabled_overrides_other_settings() {
    for (value, disabled) in [
        ("true", true),
        ("TRUE", true),
        ("1", false),
        ("false", false),
    ] {
        let config = Config::from_variables(|name| match name {
            "OTEL_SDK_DISABLED" => Some(value),
            _ => None,
        });
        assert_eq!(config.unwrap().is_none(), disabled, "{value}");
    }
    let all_invalid = Config::from_variables(|_| Some("true"));
    assert!(all_invalid.unwrap().is_none());
}

#[test]
fn flush_mode_is_one_of_three() {
    for (value, flush) in [
        ("adaptive", FlushMode::Adaptive),
        ("End", FlushMode::End),
        ("periodic", FlushMode::Periodic),
    ] {
        assert_eq!(read(&[("FG_OTLP_FLUSH", value)]).unwrap().flush_mode, flush);
    }
    assert_eq!(
        read(&[("FG_OTLP_FLUSH", "never")]).unwrap_err(),
        "cannot read FG_OTLP_FLUSH from the environment: `never` is not a flush mode; write `adaptive`, `end` or `periodic`"
    );
}

#[test]
fn flush_durations_have_units() {
    for (value, millis) in [
        ("250ms", 250),
        ("1.5s", 1500),
        ("2", 2000),
        ("1 m", 60_000),
        ("1h", 3_600_000),
    ] {
        let config = read(&[
            ("FG_OTLP_FLUSH_INTERVAL", value),
            ("FG_OTLP_FLUSH_TIMEOUT", value),
        ])
        .unwrap();
        assert_eq!(config.flush_interval, Duration::from_millis(millis));
        assert_eq!(config.flush_timeout, Duration::from_millis(millis));
    }
    let zero = read(&[("FG_OTLP_FLUSH_TIMEOUT", "0")]).unwrap();
    assert_eq!(zero.flush_timeout, Duration::ZERO);
    assert_eq!(
        read(&[("FG_OTLP_FLUSH_INTERVAL", "0s")]).unwrap_err(),
        "cannot read FG_OTLP_FLUSH_INTERVAL from the environment: `0s` is not a duration from 1ms to 1h; write it as `500ms`, `10s` or `1m`"
    );
    for value in ["soon", "-1s", "2h", "1e3s", "s", "."] {
        assert!(
            read(&[("FG_OTLP_FLUSH_TIMEOUT", value)]).is_err(),
            "{value}"
        );
    }
}

#[test]
fn buffer_size_is_parsed_within_its_range() {
    for (value, bytes) in [
        ("512KiB", 512 * 1024),
        ("4MiB", 4 << 20),
        ("4MB", 4_000_000),
        ("1.5 mib", 3 << 19),
        ("65536", 65536),
        ("65536B", 65536),
        ("1GiB", 1 << 30),
    ] {
        assert_eq!(read(&[("FG_OTLP_BUFFER", value)]).unwrap().buffer, bytes);
    }
    for value in ["0", "999", "2GiB", "4Mi", "-4MiB", "much", "MiB"] {
        let error = read(&[("FG_OTLP_BUFFER", value)]).unwrap_err();
        assert_eq!(
            error,
            format!(
                "cannot read FG_OTLP_BUFFER from the environment: `{value}` is not a size from 1KB to 1GiB; \
                 write it as `512KiB`, `4MiB` or `4194304`"
            )
        );
    }
}

#[test]
fn setting_that_cannot_be_looked_up_is_reported() {
    let read = |bad: &str| {
        Config::read(|name| match name == bad {
            true => Err(format!("cannot read {name} from RUNTIME_USERDATA: why").into()),
            false => Ok(None),
        })
    };
    let config = read("OTEL_SERVICE_NAME").unwrap().unwrap();
    assert_eq!(config.resource.service_name, None);
    assert_eq!(
        config.diagnostics,
        [Diagnostic::Warning(
            "cannot read OTEL_SERVICE_NAME from RUNTIME_USERDATA: why; the setting is ignored"
                .to_owned()
        )]
    );
    assert_eq!(
        read("FG_OTLP_FLUSH").unwrap_err().to_string(),
        "cannot read FG_OTLP_FLUSH from RUNTIME_USERDATA: why"
    );
}
