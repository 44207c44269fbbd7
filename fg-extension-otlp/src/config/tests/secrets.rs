//! Tests of `${secret:NAME}` in headers.

use super::*;

const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// Returns the value of a header with secrets, in a form for comparisons.
fn parts(header: &SecretHeader) -> Vec<String> {
    let part = |part: &ValuePart| match part {
        ValuePart::Text(text) => text.to_str().unwrap().to_owned(),
        ValuePart::Secret(name) => format!("<{name}>"),
    };
    header.value.iter().map(part).collect()
}

#[test]
fn header_values_may_contain_secrets() {
    for (value, expected) in [
        ("${secret:api-key}", &["<api-key>"][..]),
        ("Bearer%20${secret:a/b_C.1}", &["Bearer ", "<a/b_C.1>"]),
        ("Bearer ${secret:a}%21", &["Bearer ", "<a>", "!"]),
        (
            "${secret:user}:${secret:password}",
            &["<user>", ":", "<password>"],
        ),
        ("${secret:a}${secret:a}}", &["<a>", "<a>", "}"]),
        ("$${secret:a}$", &["$", "<a>", "$"]),
    ] {
        let value = format!("x-plain=1,x-key={value}");
        let config = read(&[(HEADERS, &value)]).unwrap();
        for signal in signals(&config) {
            assert_eq!(signal.headers.len(), 1);
            let [header] = &*signal.secret_headers else {
                panic!("{value}: {:?}", signal.secret_headers);
            };
            assert_eq!(header.name, "x-key");
            assert_eq!(parts(header), expected);
        }
        assert_eq!(config.diagnostics, []);
    }
}

#[test]
fn dollar_sign_may_be_written_literally() {
    for (value, expected) in [
        ("$", "$"),
        ("$5", "$5"),
        ("${HOME}", "${HOME}"),
        ("{secret:a}", "{secret:a}"),
        ("${Secret:a}", "${Secret:a}"),
        ("%24{secret:a}", "${secret:a}"),
    ] {
        let config = read(&[(HEADERS, &format!("x-key={value}"))]).unwrap();
        assert_eq!(signals(&config)[0].headers["x-key"], expected);
        assert!(config.secrets.is_none() && config.diagnostics.is_empty());
    }
}

#[test]
fn invalid_reference_is_an_error_without_the_value() {
    let name = "the name in a `${secret:…}` is invalid; a name has 1 to 128 characters";
    for (value, problem) in [
        ("x-key=hunter2${secret:}", name),
        ("x-key=hunter2${secret: api }", name),
        ("x-key=hunter2${secret:/api}", name),
        (
            "x-key=hunter2${secret:${secret:api}}",
            "a `${secret:` has no `}` after it",
        ),
        (
            "x-key=hunter2${secret:api,x-b=c}",
            "a `${secret:` has no `}` after it",
        ),
        (
            "x-key=hunter2%zz${secret:api}",
            "the value is not a valid header value",
        ),
        (
            "x-key=hunter2%0a${secret:api}",
            "the value is not a valid header value",
        ),
        ("${secret:hunter2}", "entry 1 has no `=`"),
        ("${secret:hunter2}=x", "entry 1 has no valid header name"),
        (
            "content-type=${secret:hunter2}",
            "the exporter itself sets `content-type`",
        ),
    ] {
        let error = read(&[(HEADERS, value)]).unwrap_err();
        assert!(
            error.starts_with("cannot read OTEL_EXPORTER_OTLP_HEADERS from the environment: ")
                && error.contains(problem)
                && error.ends_with(
                    "; write a header such as `authorization=Bearer%20${secret:api-key}`"
                )
                && !error.contains("hunter2"),
            "{error}"
        );
    }
    // A signal that is off has no headers.
    let off = ["TRACES", "METRICS", "LOGS"].map(|signal| format!("OTEL_{signal}_EXPORTER"));
    let mut variables = vec![(HEADERS, "x-key=${secret:}")];
    variables.extend(off.iter().map(|name| (name.as_str(), "none")));
    assert!(read(&variables).is_ok());
}

#[test]
fn settings_of_the_cache_are_read_if_a_header_needs_them() {
    let secret = (HEADERS, "x-key=${secret:a}");
    let secrets = |variables: &[_]| read(variables).unwrap().secrets.unwrap();
    let default = secrets(&[secret]);
    assert_eq!(default.address.to_string(), "127.0.0.1:2773");
    let TokenSource::File(path) = default.token else {
        panic!("{default:?}");
    };
    assert_eq!(path.to_str(), Some("/tmp/fg-secrets-cache.token"));

    let set = [
        secret,
        ("FG_SECRETS_ADDRESS", "[::1]:4000"),
        ("FG_SECRETS_TOKEN", "hunter2"),
        ("FG_SECRETS_TOKEN_FILE", "/run/token"),
    ];
    let set = secrets(&set);
    assert_eq!(set.address.to_string(), "[::1]:4000");
    assert!(matches!(&set.token, TokenSource::Setting(token) if token == "hunter2"));
    assert!(!format!("{set:?}").contains("hunter2"));

    for (name, value) in [
        ("FG_SECRETS_ADDRESS", "10.0.0.1:80"),
        ("FG_SECRETS_TOKEN", "hunter2ä\u{1}"),
    ] {
        assert!(read(&[(name, value)]).is_ok());
        let error = read(&[secret, (name, value)]).unwrap_err();
        assert!(
            error.starts_with(&format!("cannot read {name} from the environment: ")),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}
