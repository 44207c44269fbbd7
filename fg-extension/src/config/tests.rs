//! Tests of the settings, with a fake environment.

use super::*;

const NAME: ExtensionName = ExtensionName::new("extensionHello.sh");
const SUBSCRIPTION: Subscription = Subscription::new(Port::new(8082), &[TelemetryType::Platform]);

fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
    environment(variables).read(NAME, Port::new(8081))
}

fn read_telemetry(variables: &[(&str, &str)]) -> Result<TelemetryConfig, String> {
    let config = read(variables)?;
    environment(variables).read_telemetry(NAME, Port::new(8081), SUBSCRIPTION, &config)
}

fn environment(
    variables: &[(&str, &str)],
) -> Environment<impl Fn(&'static str) -> Option<OsString>> {
    Environment(move |name| {
        let value = variables
            .iter()
            .find(|(variable, _)| *variable == name)
            .map(|(_, value)| *value);
        value
            .or((name == "EXTENSION_API_ADDR").then_some("127.0.0.1:9001"))
            .map(OsString::from)
    })
}

#[test]
fn platform_address_is_host_and_port() {
    for (value, host, port) in [
        ("127.0.0.1:9001", "127.0.0.1", 9001),
        ("http://127.0.0.1:9001/", "127.0.0.1", 9001),
        ("http://localhost:80", "localhost", 80),
        (" fg-api.internal:9001/ ", "fg-api.internal", 9001),
        ("http://[::1]:9001", "::1", 9001),
    ] {
        let platform = read(&[("EXTENSION_API_ADDR", value)]).unwrap().platform;
        assert_eq!((platform.host(), platform.port), (host, port), "{value}");
    }
    for value in [
        "127.0.0.1",
        "localhost:",
        ":9001",
        "HTTP://a:1",
        "https://a:1",
        "a:1//",
        "a:1/api",
        "[a]:1",
        "a:b:1",
        "a:70000",
        "a:+1",
        "a b:1",
        "a:0",
        "127.0.0.1:0",
        "[::1]:0",
        "http://[::1]:00/",
        "x/y:1",
    ] {
        let error = read(&[("EXTENSION_API_ADDR", value)]).err().unwrap();
        assert_eq!(
            error,
            format!(
                "cannot read EXTENSION_API_ADDR: `{value}` is not `host:port`; write an address such as `127.0.0.1:9001`"
            )
        );
    }
}

#[test]
fn missing_platform_address_is_an_error() {
    for unset in ["", "  "] {
        let error = read(&[("EXTENSION_API_ADDR", unset)]).err().unwrap();
        assert!(
            error.starts_with("EXTENSION_API_ADDR is not set") && error.contains("`cargo fg dev`"),
            "{error}"
        );
    }
}

#[test]
fn port_is_overridden_by_a_number_or_a_list_of_script_names() {
    for (value, port) in [
        ("", 8081),
        ("8085", 8085),
        (" 8090 ", 8090),
        ("extensionHello.sh=8085,extensionOther.sh=8086", 8085),
        ("extensionOther.sh=8086, extensionHello.sh = 8085,", 8085),
        ("extensionOther.sh=8086", 8081),
    ] {
        assert_eq!(
            read(&[("FG_EXTENSION_PORT", value)]).unwrap().port.get(),
            port,
            "{value}"
        );
    }
    for (value, why) in [
        ("8080", "is not a port from 8081 to 8090"),
        ("8091", "is not a port from 8081 to 8090"),
        ("-8085", "is not a port from 8081 to 8090"),
        ("eight", "is not a port from 8081 to 8090"),
        ("8085,8086", "is not a port from 8081 to 8090"),
        (
            "extensionHello.sh=80",
            "has the entry `extensionHello.sh=80`, whose port is not from 8081 to 8090",
        ),
        (
            "extensionHello.sh=8081,extensionHello.sh=8082",
            "assigns two ports to extensionHello.sh",
        ),
        (
            "8085,extensionOther.sh=8086",
            "has the entry `8085` without `=`",
        ),
        (
            "extensionHello=8085",
            "has an entry for `extensionHello`, which is not a script name like `extensionHello.sh`",
        ),
        (
            "extension/extensionHello.sh=8085",
            "has an entry for `extension/extensionHello.sh`, which is not a script name like `extensionHello.sh`",
        ),
        (
            "extensionHell\u{f6}.sh=8085",
            "has an entry for `extensionHell\u{f6}.sh`, which is not a script name like `extensionHello.sh`",
        ),
        (
            "=8085",
            "has an entry for ``, which is not a script name like `extensionHello.sh`",
        ),
        (
            "extensionOther.sh=8086;extensionHello.sh=8085",
            "has the entry `extensionOther.sh=8086;extensionHello.sh=8085`, whose port is not from 8081 to 8090",
        ),
    ] {
        let error = read(&[("FG_EXTENSION_PORT", value)]).err().unwrap();
        assert!(
            error.starts_with(&format!(
                "cannot read FG_EXTENSION_PORT: `{value}` {why}; write a port"
            )),
            "{error}"
        );
    }
}

#[test]
fn duration_is_a_number_with_an_optional_unit() {
    let read =
        |value| read(&[("FG_SHUTDOWN_TIMEOUT", value)]).map(|config| config.shutdown_timeout);
    for (value, millis) in [
        ("500ms", 500),
        ("10s", 10_000),
        ("1.5s", 1_500),
        ("1m", 60_000),
        ("3", 3_000),
        ("0s", 0),
        ("2 s", 2_000),
        ("1h", 3_600_000),
    ] {
        assert_eq!(read(value), Ok(Duration::from_millis(millis)), "{value}");
    }
    assert!(
        self::read(&[("FG_REGISTER_TIMEOUT", "0s")])
            .err()
            .unwrap()
            .contains("from 1ms to 1h")
    );
    for value in [
        "soon",
        "-1s",
        "2h",
        "61m",
        "1e3s",
        "s",
        ".",
        "1.2.3s",
        "999999999999999999999s",
    ] {
        assert!(
            read(value).unwrap_err().starts_with(&format!(
                "cannot read FG_SHUTDOWN_TIMEOUT: `{value}` is not"
            )),
            "{value}"
        );
    }
}

#[cfg(feature = "stderr-log")]
#[test]
fn log_level_is_read_from_its_name() {
    assert_eq!(
        read(&[("FG_LOG", "Debug")]).unwrap().log,
        tracing::level_filters::LevelFilter::DEBUG
    );
    assert!(
        read(&[("FG_LOG", "loud")])
            .err()
            .unwrap()
            .contains("`off`, `error`, `warn`")
    );
}

#[cfg(unix)]
#[test]
fn value_that_is_not_utf8_is_an_error() {
    use std::os::unix::ffi::OsStringExt;
    let environment = Environment(|_| Some(OsString::from_vec(vec![b'a', 0xff])));
    let error = environment.read(NAME, Port::new(8081)).err().unwrap();
    assert_eq!(
        error,
        "cannot read EXTENSION_API_ADDR: `a\u{fffd}` is not UTF-8; write it in UTF-8"
    );
}

#[test]
fn telemetry_has_its_own_port_or_shares_that_of_the_extension() {
    let ports = |subscribed: u16, variables: &[(&str, &str)]| {
        let types = &[TelemetryType::Platform];
        let subscription = Subscription::new(Port::new(subscribed), types);
        let config = read(variables).unwrap();
        let telemetry = environment(variables)
            .read_telemetry(NAME, Port::new(8081), subscription, &config)
            .unwrap();
        (config.port.get(), telemetry.port.get())
    };
    assert_eq!(ports(8082, &[]), (8081, 8082));
    assert_eq!(ports(8081, &[]), (8081, 8081));
    assert_eq!(ports(8081, &[("FG_EXTENSION_PORT", "8085")]), (8085, 8085));
    assert_eq!(ports(8082, &[("FG_EXTENSION_PORT", "8085")]), (8085, 8082));
    let both = [
        ("FG_EXTENSION_PORT", "extensionHello.sh=8085"),
        (
            "FG_TELEMETRY_PORT",
            "extensionOther.sh=8089,extensionHello.sh=8086",
        ),
    ];
    assert_eq!(ports(8081, &both), (8085, 8086));
    assert_eq!(
        read_telemetry(&[("FG_TELEMETRY_PORT", "80")])
            .err()
            .unwrap(),
        "cannot read FG_TELEMETRY_PORT: `80` is not a port from 8081 to 8090; write a port such as `8085`, or a list such \
         as `extensionHello.sh=8085,extensionOther.sh=8086`"
    );
}

#[test]
fn buffer_is_a_number_of_bytes() {
    let buffer =
        |value| read_telemetry(&[("FG_TELEMETRY_BUFFER", value)]).map(|config| config.buffer);
    for (value, bytes) in [
        ("", 4_194_304),
        ("1", 1),
        ("512KiB", 524_288),
        ("4 MB", 4_000_000),
        ("4mib", 4_194_304),
        ("1.5MiB", 1_572_864),
        ("1GiB", 1 << 30),
    ] {
        assert_eq!(buffer(value), Ok(bytes), "{value}");
    }
    for value in [
        "0",
        "0KB",
        "-1",
        "1.2.3MiB",
        "4M",
        "much",
        "99999999999999999999MiB",
        "1025MiB",
        "MiB",
    ] {
        assert_eq!(
            buffer(value),
            Err(format!(
                "cannot read FG_TELEMETRY_BUFFER: `{value}` is not a size from 1B to 1GiB; \
                 write it as `512KiB`, `4MiB` or `4194304`"
            ))
        );
    }
}

#[test]
fn removed_setting_causes_a_warning_if_it_is_set() {
    let warnings = |value| {
        read(&[("FG_TELEMETRY_OVERFLOW", value)])
            .map(|config| config.warnings)
            .unwrap()
    };
    assert!(warnings(" ").is_empty());
    for value in ["refuse", "drop-oldest", "block"] {
        assert_eq!(
            warnings(value),
            [
                "FG_TELEMETRY_OVERFLOW was removed: a batch that does not fit into the buffer is rejected with status 503; \
                 unset it"
            ]
        );
    }
}

#[test]
fn telemetry_settings_are_read_only_with_a_subscription() {
    let variables = [("FG_TELEMETRY_BUFFER", "much")];
    assert!(read(&variables).is_ok());
    assert!(read_telemetry(&variables).is_err());
}
