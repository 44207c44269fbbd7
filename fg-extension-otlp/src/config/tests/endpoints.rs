//! Tests of the settings of endpoints.

use super::*;

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

#[test]
fn receiver_has_a_loopback_address() {
    let receiver = |value| {
        let config = read(&[("FG_OTLP_RECEIVER", value)]);
        config.map(|config| config.receiver.map(|address| address.to_string()))
    };
    for (value, address) in [
        ("", Some("127.0.0.1:4318")),
        ("off", None),
        ("OFF", None),
        ("127.0.0.2:4319", Some("127.0.0.2:4319")),
        ("localhost:4319", Some("127.0.0.1:4319")),
        ("[::1]:4318", Some("[::1]:4318")),
    ] {
        assert_eq!(receiver(value).unwrap().as_deref(), address, "{value}");
    }
    for value in [
        "0.0.0.0:4318",
        "127.0.0.1",
        "127.0.0.1:0",
        "localhost:0",
        "localhost:x",
        "http://127.0.0.1:4318",
    ] {
        assert_eq!(
            receiver(value).unwrap_err().to_string(),
            format!(
                "cannot read FG_OTLP_RECEIVER from the environment: `{value}` is not a loopback address with a port; \
                 write `off`, or an address such as `127.0.0.1:4318`"
            )
        );
    }
}
