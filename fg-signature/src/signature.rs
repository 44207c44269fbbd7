//! The signature of a request, and the headers that carry it.

use std::time::{Duration, SystemTime};

use ring::hmac;

use crate::canonical;
use crate::credentials::Credentials;

const ALGORITHM: &str = "SDK-HMAC-SHA256";
const DATE: &str = "X-Sdk-Date";
const TOKEN: &str = "X-Security-Token";
const AUTHORIZATION: &str = "Authorization";

/// The last second of the year 9999, the last one that the format of the date can express.
const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);

/// What is signed of an HTTP request. The request must be sent exactly like this.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, for example `GET`.
    pub method: &'a str,
    /// The value of the header `Host`, with the port if it is sent with one.
    pub host: &'a str,
    /// The path as it is sent, percent-encoded, without the query.
    pub path: &'a str,
    /// The query as it is sent, percent-encoded, without the question mark; empty if the request has none. A space must be
    /// written as `%20`, since a `+` stands for itself.
    pub query: &'a str,
    /// More headers that are signed, and so protected against changes on the way. Each name may occur once. `Host` and the
    /// headers that [`sign`] returns are signed in any case; entries with these names are ignored. So are names with an underscore,
    /// which proxies drop, as in the official SDK for Python.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body; empty if the request has none.
    pub body: &'a [u8],
}

/// Returns the headers to add to the request: `X-Sdk-Date`, `X-Security-Token` if the key is temporary, and `Authorization`.
///
/// The platform rejects a request whose `time` differs from its own clock by more than 15 minutes, and a signed body of more than
/// 12 MB (**D**: `api-sign-algorithm-002`, `api-sign-provide01`). Sign each attempt to send a request anew.
#[must_use]
pub fn sign(
    request: &Request<'_>,
    credentials: &Credentials,
    time: SystemTime,
) -> Vec<(&'static str, String)> {
    let date = date(time);
    let (canonical, signed_headers) = canonical_request(request, credentials, &date);
    let string_to_sign = format!(
        "{ALGORITHM}\n{date}\n{}",
        canonical::hash(canonical.as_bytes())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, credentials.secret_key().as_bytes());
    let signature = canonical::hex(hmac::sign(&key, string_to_sign.as_bytes()).as_ref());
    let authorization = format!(
        "{ALGORITHM} Access={}, SignedHeaders={signed_headers}, Signature={signature}",
        credentials.access_key()
    );

    let mut headers = vec![(DATE, date)];
    if let Some(token) = credentials.security_token() {
        headers.push((TOKEN, token.to_owned()));
    }
    headers.push((AUTHORIZATION, authorization));
    headers
}

/// Returns the canonical request and the names of the signed headers.
fn canonical_request(
    request: &Request<'_>,
    credentials: &Credentials,
    date: &str,
) -> (String, String) {
    let own = [
        ("host", Some(request.host)),
        ("x-sdk-date", Some(date)),
        ("x-security-token", credentials.security_token()),
    ];
    let is_ignored = |name: &str| {
        name.contains('_')
            || name.eq_ignore_ascii_case(AUTHORIZATION)
            || own.iter().any(|(own, _)| name.eq_ignore_ascii_case(own))
    };
    let mut headers: Vec<_> = request
        .headers
        .iter()
        .filter(|(name, _)| !is_ignored(name))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .chain(
            own.iter()
                .filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?))),
        )
        .collect();
    headers.sort();

    let signed_headers = headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect::<Vec<_>>()
        .join(";");
    let header_lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let canonical = format!(
        "{}\n{}\n{}\n{header_lines}\n{signed_headers}\n{}",
        request.method.to_ascii_uppercase(),
        canonical::path(request.path),
        canonical::query(request.query),
        canonical::hash(request.body),
    );
    (canonical, signed_headers)
}

/// Returns the time as in `20191115T033655Z`.
fn date(time: SystemTime) -> String {
    let time = time.clamp(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + LAST_SECOND);
    humantime::format_rfc3339_seconds(time)
        .to_string()
        .replace(['-', ':'], "")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{Request, canonical_request, date, sign};
    use crate::canonical;
    use crate::credentials::Credentials;

    /// The example of the pages `api-sign-algorithm-002` to `-005`.
    const PUBLISHED: Request<'_> = Request {
        method: "GET",
        host: "service.region.example.com",
        path: "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
        query: "limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        headers: &[("content-type", "application/json")],
        body: b"",
    };

    /// 2019-11-15, 03:36:55.
    fn published_time() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_573_789_015)
    }

    fn published_credentials() -> Credentials {
        Credentials::new(
            "QTWAOYTTINDUT2QVKYUC",
            "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
        )
    }

    #[test]
    fn published_example_has_the_published_hash_and_signature() {
        let (canonical, signed_headers) =
            canonical_request(&PUBLISHED, &published_credentials(), "20191115T033655Z");
        assert_eq!(
            canonical::hash(canonical.as_bytes()),
            "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a",
            "{canonical}"
        );
        assert_eq!(signed_headers, "content-type;host;x-sdk-date");

        let headers = sign(&PUBLISHED, &published_credentials(), published_time());
        assert_eq!(
            headers,
            [
                ("X-Sdk-Date", "20191115T033655Z".to_owned()),
                (
                    "Authorization",
                    "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, \
                     Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
                        .to_owned()
                ),
            ]
        );
    }

    /// The results are those of `Signer` in version 3.1.219 of `huaweicloudsdkcore`.
    #[test]
    fn other_requests_are_signed_as_by_the_official_sdk() {
        let signature = |request: &Request<'_>, credentials: &Credentials| {
            let (_, value) = sign(request, credentials, published_time())
                .pop()
                .expect("there are headers");
            value
                .rsplit_once('=')
                .expect("the signature is the last parameter")
                .1
                .to_owned()
        };
        let request = Request {
            method: "put",
            host: "127.0.0.1:8443",
            path: "/v2/p/fgs/functions/urn:fss:r:p:function:default:a%20b:latest/config",
            query: "b=2&a=%E4%B8%80%20x",
            headers: &[
                ("X-Project-Id", " p "),
                ("Content-Type", "application/json"),
            ],
            body: b"{\"handler\":\"x\"}",
        };
        assert_eq!(
            signature(&request, &published_credentials()),
            "2528b38fd7aa6457b41737d27e6f0cd9bad78d47caec0264d29ed409173d8953"
        );
        assert_eq!(
            signature(
                &request,
                &published_credentials().with_security_token("token")
            ),
            "04aa11a9eb75ce93693c8db08a3f7f9b33920b91676da0853581c71b24f1a940"
        );
        let own = Request {
            headers: &[
                ("Content-Type", "application/json"),
                ("X-Project-Id", "p"),
                ("host", "elsewhere"),
                ("Authorization", "Basic"),
                ("X_Underscore", "x"),
            ],
            ..request
        };
        assert_eq!(
            signature(&own, &published_credentials()),
            signature(&request, &published_credentials())
        );
    }

    #[test]
    fn dates_before_1970_and_after_9999_do_not_panic() {
        assert_eq!(date(published_time()), "20191115T033655Z");
        assert_eq!(
            date(SystemTime::UNIX_EPOCH - Duration::from_secs(1)),
            "19700101T000000Z"
        );
        assert_eq!(
            date(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)),
            "99991231T235959Z"
        );
    }
}
