//! Tests of the settings, with a fake environment.

use super::sources::SettingsFile;
use super::*;

const NAME: ExtensionName = ExtensionName::new("extensionHello.sh");
const SUBSCRIPTION: Subscription = Subscription::new(Port::new(8082), &[TelemetryType::Platform]);

fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
    sources(variables).config(NAME, Port::new(8081))
}

fn read_telemetry(variables: &[(&str, &str)]) -> Result<TelemetryConfig, String> {
    let config = read(variables)?;
    sources(variables).telemetry_config(NAME, Port::new(8081), SUBSCRIPTION, &config)
}

/// Returns an environment with these variables, and with the platform's address if they lack it.
fn sources(variables: &[(&str, &str)]) -> Sources<'static, impl Fn(&str) -> Option<OsString>> {
    let variable = move |name: &str| {
        let value = variables
            .iter()
            .find(|(variable, _)| *variable == name)
            .map(|(_, value)| *value);
        value
            .or((name == "EXTENSION_API_ADDR").then_some("127.0.0.1:9001"))
            .map(OsString::from)
    };
    Sources {
        variable,
        file: &Ok(None),
    }
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
                "cannot read EXTENSION_API_ADDR from the environment: `{value}` is not `host:port`; write an address such as `127.0.0.1:9001`"
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
                "cannot read FG_EXTENSION_PORT from the environment: `{value}` {why}; write a port"
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
                "cannot read FG_SHUTDOWN_TIMEOUT from the environment: `{value}` is not"
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
    let sources = Sources {
        variable: |_: &str| Some(OsString::from_vec(vec![b'a', 0xff])),
        file: &Ok(None),
    };
    let error = sources.config(NAME, Port::new(8081)).err().unwrap();
    assert_eq!(
        error,
        "cannot read EXTENSION_API_ADDR from the environment: `a\u{fffd}` is not UTF-8; write it in UTF-8"
    );
}

#[test]
fn telemetry_has_its_own_port_or_shares_that_of_the_extension() {
    let ports = |subscribed: u16, variables: &[(&str, &str)]| {
        let types = &[TelemetryType::Platform];
        let subscription = Subscription::new(Port::new(subscribed), types);
        let config = read(variables).unwrap();
        let telemetry = sources(variables)
            .telemetry_config(NAME, Port::new(8081), subscription, &config)
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
        "cannot read FG_TELEMETRY_PORT from the environment: `80` is not a port from 8081 to 8090; write a port such as `8085`, or a list such \
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
                "cannot read FG_TELEMETRY_BUFFER from the environment: `{value}` is not a size from 1B to 1GiB; \
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

#[test]
fn settings_are_looked_up_in_the_environment_then_in_user_data_then_in_the_file() {
    let file = Ok(Some(SettingsFile {
        name: "hello.env".to_owned(),
        text: "FG_LOG=debug\nA=file\nB=file\nC=file\n".to_owned(),
    }));
    let variable = |name: &str| {
        let value = match name {
            "RUNTIME_USERDATA" => {
                r#"{"A": "user data", "B": "user \u0064ata", "C": " ", "D": [1], "F": 1.50, "G": true, "H": null}"#
            }
            "A" => " environment ",
            "B" => "",
            _ => return None,
        };
        Some(OsString::from(value))
    };
    let sources = Sources {
        variable,
        file: &file,
    };
    for (name, expected) in [
        ("A", Some(("environment", "the environment"))),
        ("B", Some(("user data", "RUNTIME_USERDATA"))),
        ("C", Some(("file", "hello.env"))),
        ("E", None),
        ("F", Some(("1.50", "RUNTIME_USERDATA"))),
        ("G", Some(("true", "RUNTIME_USERDATA"))),
        ("H", None),
    ] {
        let setting = sources.get(name).unwrap();
        let found = setting
            .as_ref()
            .map(|it| (it.value(), it.source().to_string()));
        assert_eq!(
            found,
            expected.map(|(value, source)| (value, source.to_owned()))
        );
    }
    assert_eq!(
        sources.get("D").unwrap_err(),
        "cannot read D from RUNTIME_USERDATA: the value is a JSON object or array; write text or a number"
    );
    assert_eq!(sources.user_data_warning(), None);
}

#[test]
fn variables_of_the_platform_are_not_settings() {
    let user_data =
        r#"{"EXTENSION_API_ADDR": "127.0.0.1:9001", "RUNTIME_FUNC_NAME": "x", "FG_LOG": "loud"}"#;
    let config = read(&[("RUNTIME_USERDATA", user_data), ("FG_LOG", "info")]).unwrap();
    assert_eq!(config.function_name, None);
    let only = |name: &str| (name == "RUNTIME_USERDATA").then(|| OsString::from(user_data));
    let sources = Sources {
        variable: only,
        file: &Ok(None),
    };
    let error = sources.config(NAME, Port::new(8081)).err().unwrap();
    assert!(
        error.starts_with("EXTENSION_API_ADDR is not set"),
        "{error}"
    );
}

#[test]
fn user_data_that_is_not_an_object_is_a_warning() {
    for user_data in ["x", "[]", "{", "{\"FG_LOG\": \"loud\"} x"] {
        let config = read(&[("RUNTIME_USERDATA", user_data)]).unwrap();
        assert_eq!(
            config.warnings,
            ["RUNTIME_USERDATA is not a JSON object, so no settings are read from it"],
            "{user_data}"
        );
    }
    for user_data in ["", "{}", " {\"a\": [{}]}\n"] {
        let config = read(&[("RUNTIME_USERDATA", user_data)]).unwrap();
        assert!(config.warnings.is_empty(), "{user_data}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_if_a_setting_is_looked_up_there() {
    let file = Err("cannot read the settings in /x/hello.env: denied".to_owned());
    let sources = Sources {
        variable: |name: &str| (name == "A").then(|| OsString::from("1")),
        file: &file,
    };
    assert!(sources.get("A").is_ok_and(|setting| setting.is_some()));
    assert_eq!(sources.get("B"), file.map(|_| None));
}
