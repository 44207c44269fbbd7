//! Tests of the settings: their defaults, their values, and the messages about invalid ones.

mod endpoints;
mod proxy;
mod secrets;

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
fn headers_are_decoded_and_hidden() {
    let config = read(&[
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "api-key=hunter2, Authorization = Basic%20dXNlcjpwYXNz==,,x-a=b c,",
        ),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-only=logs"),
    ])
    .unwrap();
    let [traces, metrics, logs] = signals(&config);
    let headers = &traces.headers;
    assert_eq!(headers.len(), 3);
    assert_eq!(headers["api-key"], "hunter2");
    assert_eq!(headers["authorization"], "Basic dXNlcjpwYXNz==");
    assert_eq!(headers["x-a"], "b c");
    assert_eq!(headers, &metrics.headers);
    assert_eq!(logs.headers.len(), 1);
    assert_eq!(logs.headers["x-only"], "logs");
    assert!(!format!("{config:?}").contains("hunter2"));
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
