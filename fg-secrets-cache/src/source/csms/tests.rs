//! Tests with a fake CSMS that is written from the pages of the API, and that checks signatures with an implementation of its
//! own.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use fg_extension::SettingSource;
use ring::{digest, hmac};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const ACCESS_KEY: &str = "QTWAOYTTINDUT2QVKYUC";
const SECRET_KEY: &str = "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc";

/// A request as the service sees it.
struct Received {
    method: String,
    path: String,
    /// With names in lower case.
    headers: BTreeMap<String, String>,
}

fn read(variables: &[(&str, &str)]) -> Result<Csms, String> {
    let lookup = |name: &str| {
        let mut variables = variables.iter();
        let found = variables.find(|(variable, _)| *variable == name);
        Ok(found.and_then(|(_, value)| Setting::new(name, value, SettingSource::Environment)))
    };
    Csms::read(&lookup).map_err(|error| error.to_string())
}

const REQUIRED: [(&str, &str); 4] = [
    (REGION_SETTING, "cn-north-4"),
    (PROJECT_ID_SETTING, PROJECT),
    ("HUAWEICLOUD_SDK_AK", ACCESS_KEY),
    ("HUAWEICLOUD_SDK_SK", SECRET_KEY),
];

/// Starts a service that responds once with this status and body, and returns a source for it, and the request.
async fn service(status: u16, body: &str) -> (Csms, JoinHandle<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let response = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let serve = async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let received = receive(&mut stream).await;
        stream.write_all(response.as_bytes()).await.unwrap();
        received
    };
    let mut variables = REQUIRED.to_vec();
    variables.push((ENDPOINT_SETTING, &endpoint));
    (read(&variables).unwrap(), tokio::spawn(serve))
}

async fn receive(stream: &mut TcpStream) -> Received {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let mut line = lines.next().unwrap().split(' ').map(str::to_owned);
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    });
    Received {
        method: line.next().unwrap(),
        path: line.next().unwrap(),
        headers: headers.collect(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the `Authorization` that the request must have, by the algorithm of the pages api-sign-algorithm-001 to -005 (D).
fn expected_authorization(received: &Received) -> String {
    let sent = &received.headers["authorization"];
    let signed = sent.split("SignedHeaders=").nth(1).unwrap();
    let signed = signed.split(',').next().unwrap();
    let headers = signed
        .split(';')
        .map(|name| format!("{name}:{}\n", received.headers[name].trim()));
    let body = hex(digest::digest(&digest::SHA256, b"").as_ref());
    let canonical = format!(
        "{}\n{}/\n\n{}\n{signed}\n{body}",
        received.method,
        received.path,
        headers.collect::<String>()
    );
    let canonical = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let date = &received.headers["x-sdk-date"];
    let to_sign = format!("SDK-HMAC-SHA256\n{date}\n{canonical}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET_KEY.as_bytes());
    let signature = hex(hmac::sign(&key, to_sign.as_bytes()).as_ref());
    format!("SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders={signed}, Signature={signature}")
}

async fn fetch(source: &Csms) -> Result<Fetched, SourceError> {
    source.fetch(&SecretName::new("db-password").unwrap()).await
}

async fn fetch_error(status: u16, body: &str) -> SourceError {
    let (source, _) = service(status, body).await;
    fetch(&source).await.unwrap_err()
}

/// The example of the page, shortened, with another value.
const TEXT: &str = r#"{"version": {"version_metadata": {"id": "v7", "create_time": 1581507580000,
    "secret_name": "db-password", "version_stages": ["SYSCURRENT"]}, "secret_string": "hunter2\n\"é", "secret_binary": null}}"#;

#[tokio::test]
async fn value_and_version_are_read() {
    let (source, received) = service(200, TEXT).await;
    let secret = fetch(&source).await.unwrap();
    assert_eq!(&**secret.value, "hunter2\n\"é".as_bytes());
    assert_eq!(secret.version.as_deref(), Some("v7"));
    assert!(!format!("{secret:?}").contains("hunter2"));
    let received = received.await.unwrap();
    assert_eq!(received.method, "GET");
    assert_eq!(
        received.path,
        format!("/v1/{PROJECT}/secrets/db-password/versions/latest")
    );
}

#[tokio::test]
async fn request_is_signed() {
    let (source, received) = service(200, TEXT).await;
    fetch(&source).await.unwrap();
    let received = received.await.unwrap();
    assert_eq!(
        received.headers["authorization"],
        expected_authorization(&received)
    );
    for header in ["host", "x-sdk-date", "x-project-id", "content-type"] {
        let signed = received.headers["authorization"]
            .split("SignedHeaders=")
            .nth(1)
            .unwrap();
        assert!(
            signed
                .split(',')
                .next()
                .unwrap()
                .split(';')
                .any(|name| name == header)
        );
    }
    assert_eq!(received.headers["host"], source.host);
    assert!(!received.headers.contains_key("x-security-token"));
}

#[tokio::test]
async fn binary_value_is_decoded() {
    let body =
        r#"{"version": {"version_metadata": {"id": "v1"}, "secret_binary": "AP8KaHVudGVyMg=="}}"#;
    let (source, _) = service(200, body).await;
    assert_eq!(&**fetch(&source).await.unwrap().value, b"\x00\xff\nhunter2");
}

#[tokio::test]
async fn invalid_response_is_a_failure_without_its_content() {
    for body in [
        "",
        "hunter2",
        "[]",
        "null",
        r#"{"secret_string": "hunter2"}"#,
        r#"{"version": "hunter2"}"#,
        r#"{"version": {"secret_string": 7, "hunter2": null}}"#,
        r#"{"version": {"secret_binary": "hunter2 "}}"#,
    ] {
        let error = fetch_error(200, body).await;
        assert_eq!(error.kind(), SourceErrorKind::Failed, "{body}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn errors_of_the_service_are_told_apart() {
    use SourceErrorKind::{Denied, Failed, NotFound};
    for (status, code, message, kind, hint) in [
        (
            400,
            "CSMS.0005",
            "The resource does not exist.",
            NotFound,
            "",
        ),
        (
            400,
            "CSMS.0106",
            "The secret name not found int the db.",
            NotFound,
            "",
        ),
        (
            404,
            "CSMS.0005",
            "The resource does not exist.",
            NotFound,
            "",
        ),
        (
            404,
            "APIGW.0101",
            "The API does not exist",
            Failed,
            "; check FG_SECRETS_REGION",
        ),
        (
            400,
            "CSMS.0103",
            "The secret is in the scheduled deletion state.",
            Denied,
            "",
        ),
        (
            400,
            "CSMS.0401",
            "Secret value decryption failed.",
            Denied,
            "; the owner of the access key also needs",
        ),
        (
            403,
            "CSMS.0301",
            "Forbidden.",
            Denied,
            "; the owner of the access key needs the permissions csms:",
        ),
        (
            401,
            "APIGW.0301",
            "Incorrect IAM authentication information: verify aksk signature fail",
            Denied,
            "; check the access key",
        ),
        (
            401,
            "APIGW.0301",
            "Incorrect IAM authentication information: signature expired, signature time:20230527T000431Z",
            Failed,
            "; the clock of this machine differs by more than 15 minutes",
        ),
        (
            401,
            "APIGW.0301",
            "Incorrect IAM authentication information: AK access failed to reach the limit,forbidden.",
            Failed,
            "; the access key is locked for five minutes",
        ),
        (
            429,
            "APIGW.0308",
            "The throttling threshold has been reached",
            Failed,
            "",
        ),
        (500, "CSMS.0001", "Internal error.", Failed, ""),
        (503, "", "", Failed, ""),
        (301, "", "", Failed, ""),
    ] {
        let bodies = match code {
            "" => vec!["<html>busy</html>".to_owned()],
            _ => {
                let error = format!(
                    r#"{{"error_code": "{code}", "error_msg": "{message}", "request_id": "1"}}"#
                );
                vec![error.clone(), format!(r#"{{"error": {error}}}"#)]
            }
        };
        for body in bodies {
            let error = fetch_error(status, &body).await;
            let text = error.to_string();
            assert_eq!(error.kind(), kind, "{text}");
            let expected = match code {
                "" => format!(" responded with status {status} "),
                _ => format!(": {code}: {message}{hint}"),
            };
            assert!(text.contains(&expected), "{text}");
        }
    }
}

#[tokio::test]
async fn service_that_hangs_or_disconnects_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut variables = REQUIRED.to_vec();
    variables.push((ENDPOINT_SETTING, &endpoint));
    let source = read(&variables).unwrap();
    let disconnect = async { drop(listener.accept().await.unwrap()) };
    let (result, ()) = tokio::join!(fetch(&source), disconnect);
    assert_eq!(result.unwrap_err().kind(), SourceErrorKind::Failed);

    // The cache drops the future of a fetch that takes too long.
    let mut hanging = Box::pin(fetch(&source));
    let (mut stream, _) = tokio::select! {
        accepted = listener.accept() => accepted.unwrap(),
        result = &mut hanging => panic!("{result:?}"),
    };
    let received = tokio::select! {
        received = receive(&mut stream) => received,
        result = &mut hanging => panic!("{result:?}"),
    };
    assert_eq!(
        received.headers["authorization"],
        expected_authorization(&received)
    );
    drop(hanging);
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn name_that_csms_cannot_have_is_not_asked_for() {
    // Nothing listens on this port.
    let mut variables = REQUIRED.to_vec();
    variables.push((ENDPOINT_SETTING, "http://127.0.0.1:1"));
    let source = read(&variables).unwrap();
    let long = "a".repeat(MAX_NAME_LEN + 1);
    for name in ["db/password", "db.password", &long] {
        let error = source
            .fetch(&SecretName::new(name).unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), SourceErrorKind::NotFound, "{name}");
    }
    let longest = SecretName::new(&long[1..]).unwrap();
    let error = source.fetch(&longest).await.unwrap_err();
    assert_eq!(error.kind(), SourceErrorKind::Failed);
}

#[test]
fn date_is_the_current_time() {
    let source = read(&REQUIRED).unwrap();
    let request = fg_signature::Request {
        method: "GET",
        host: &source.host,
        path: "/",
        query: "",
        headers: &[],
        body: b"",
    };
    let date = |time| sign(&request, &source.credentials, time).remove(0).1;
    assert_eq!(
        date(SystemTime::UNIX_EPOCH + Duration::from_secs(1_573_789_000)),
        "20191115T033640Z"
    );
}

#[test]
fn settings_have_defaults() {
    let source = read(&REQUIRED).unwrap();
    assert_eq!(source.endpoint, "https://kms.cn-north-4.myhuaweicloud.com");
    assert_eq!(source.host, "kms.cn-north-4.myhuaweicloud.com");
    let text = format!("{source:?}");
    assert!(!text.contains(SECRET_KEY), "{text}");

    // The function is in the same project as the secrets, unless a setting says otherwise.
    let mut variables = REQUIRED.to_vec();
    variables[1].0 = FUNCTION_PROJECT_ID;
    assert_eq!(read(&variables).unwrap().project_id, PROJECT);

    variables[0] = (ENDPOINT_SETTING, "https://kms.example:8443/");
    let source = read(&variables).unwrap();
    assert_eq!(
        (source.endpoint.as_str(), source.host.as_str()),
        ("https://kms.example:8443", "kms.example:8443")
    );
}

#[test]
fn invalid_settings_are_reported_without_keys() {
    let without = |index: usize| {
        let mut variables = REQUIRED.to_vec();
        variables.remove(index);
        read(&variables).unwrap_err()
    };
    assert_eq!(
        without(0),
        "FG_SECRETS_REGION is not set; write the ID of the region, such as `cn-north-4`"
    );
    assert!(without(1).starts_with("FG_SECRETS_PROJECT_ID is not set; "));
    assert!(without(2).starts_with("HUAWEICLOUD_SDK_SK is set, but HUAWEICLOUD_SDK_AK is not"));
    assert!(without(3).starts_with("HUAWEICLOUD_SDK_AK is set, but HUAWEICLOUD_SDK_SK is not"));

    for (name, value, problem) in [
        (REGION_SETTING, "cn/north", "is not a region"),
        (PROJECT_ID_SETTING, "../x", "is not a project ID"),
        (ENDPOINT_SETTING, "kms.example", "is not a URL"),
        (
            ENDPOINT_SETTING,
            "ftp://kms.example",
            "does not start with `https://`",
        ),
        (ENDPOINT_SETTING, "http://kms.example", "has no TLS"),
        (
            ENDPOINT_SETTING,
            "https://kms.example/v1",
            "contains more than a host and a port",
        ),
        (
            ENDPOINT_SETTING,
            "https://me:hunter2@kms.example",
            "contains more than",
        ),
        (
            ENDPOINT_SETTING,
            "https://kms.example?a=b",
            "contains more than",
        ),
        ("HUAWEICLOUD_SDK_SK", "hunter 2", "contains a space"),
    ] {
        let mut variables = vec![(name, value)];
        variables.extend(REQUIRED);
        let error = read(&variables).unwrap_err();
        assert!(error.contains(name) && error.contains(problem), "{error}");
        assert!(!error.contains("hunter"), "{error}");
    }
}
