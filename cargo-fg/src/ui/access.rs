//! Decides which requests are served: those that the page itself, or a program on this machine, sends to loopback.
//!
//! Other users of the machine can connect to the port, but pages of other origins, which the user's browser shows, must not
//! reach the instance. A page can send requests to any address, and by DNS rebinding under a host name of its own, but it
//! cannot choose these headers.

use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::{Method, Uri};

/// The header in which a browser says where a request comes from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The host names of the page.
const HOSTS: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Checks whether a request to the server on this port is served. Returns the reason if it is not.
pub(super) fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    port: u16,
) -> Result<(), String> {
    let host = single(headers, HOST)?.ok_or("the request has no `Host` header")?;
    if !is_own_authority(host, port) {
        return Err(format!(
            "the `Host` header is not 127.0.0.1:{port}, localhost:{port} or [::1]:{port}"
        ));
    }
    // A proxy writes the whole URL, whose host takes precedence over the header.
    if let Some(scheme) = uri.scheme_str()
        && scheme != "http"
    {
        return Err("the URL of the request does not start with http://".to_owned());
    }
    if let Some(authority) = uri.authority()
        && !is_own_authority(authority.as_str(), port)
    {
        return Err("the URL of the request names another host".to_owned());
    }
    if let Some(origin) = single(headers, ORIGIN)? {
        let authority = origin.strip_prefix("http://");
        if !authority.is_some_and(|authority| is_own_authority(authority, port)) {
            return Err("the request comes from a page of another origin".to_owned());
        }
    }
    if let Some(site) = single(headers, SEC_FETCH_SITE)?
        && site != "same-origin"
        && site != "none"
    {
        return Err("the request comes from a page of another origin".to_owned());
    }
    // A form cannot send this type, so a browser asks for permission before a page of another origin does.
    if method == Method::POST {
        let content_type = single(headers, CONTENT_TYPE)?.unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err("a POST needs `Content-Type: application/json`".to_owned());
        }
    }
    Ok(())
}

/// Returns whether this is a host name of the page with its port. Host names are case-insensitive.
fn is_own_authority(authority: &str, port: u16) -> bool {
    HOSTS.iter().any(|host| {
        let Some((name, rest)) = authority.split_at_checked(host.len()) else {
            return false;
        };
        let is_own_port = match rest.strip_prefix(':') {
            Some(text) => text == port.to_string(),
            // Browsers leave out the default port.
            None => rest.is_empty() && port == 80,
        };
        name.eq_ignore_ascii_case(host) && is_own_port
    })
}

/// Returns the value of a header, and rejects several values and values that are not ASCII.
fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, String> {
    let mut values = headers.get_all(&name).iter();
    let value = values.next().map(HeaderValue::to_str);
    match (value, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        _ => Err(format!("the header `{name}` is not valid")),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderMap, HeaderName, HeaderValue};
    use hyper::{Method, Uri};

    use super::check;

    const PORT: u16 = 8700;

    fn checked(method: Method, uri: &str, port: u16, headers: &[(&str, &str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        check(&method, &uri.parse::<Uri>().unwrap(), &map, port).err()
    }

    fn get(headers: &[(&str, &str)]) -> Option<String> {
        checked(Method::GET, "/", PORT, headers)
    }

    #[test]
    fn loopback_hosts_are_served() {
        for host in [
            "127.0.0.1:8700",
            "localhost:8700",
            "LocalHost:8700",
            "[::1]:8700",
        ] {
            assert_eq!(get(&[("host", host)]), None, "{host}");
        }
    }

    #[test]
    fn other_hosts_are_rejected() {
        for host in [
            "",
            ":8700",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:80",
            "127.0.0.1:08700",
            "127.0.0.1:+8700",
            "127.0.0.1:87000",
            "127.0.0.1:8700 ",
            "127.0.0.1:8700, evil.example:8700",
            "127.0.0.1.:8700",
            "127.0.0.2:8700",
            "127.1:8700",
            "2130706433:8700",
            "0.0.0.0:8700",
            "localhost.:8700",
            "localhost.evil.example:8700",
            "evil-localhost:8700",
            "user@localhost:8700",
            "localhost:8700@evil.example",
            "http://localhost:8700",
            "localhost:8700/",
            "::1:8700",
            "[::1]",
            "[::ffff:127.0.0.1]:8700",
            "[0:0:0:0:0:0:0:1]:8700",
            "evil.example:8700",
            "loc\u{e4}lhost:8700",
        ] {
            assert!(get(&[("host", host)]).is_some(), "{host}");
        }
    }

    #[test]
    fn one_host_is_required() {
        let missing = "the request has no `Host` header";
        assert_eq!(get(&[]).as_deref(), Some(missing));
        let host = ("host", "localhost:8700");
        assert!(get(&[host, host]).is_some());
        assert!(get(&[host, ("host", "evil.example:8700")]).is_some());
    }

    #[test]
    fn default_port_may_be_left_out() {
        for host in ["localhost", "localhost:80", "127.0.0.1", "[::1]"] {
            assert_eq!(checked(Method::GET, "/", 80, &[("host", host)]), None);
        }
        assert!(checked(Method::GET, "/", 80, &[("host", "localhost:")]).is_some());
    }

    #[test]
    fn url_of_another_host_is_rejected() {
        let host = [("host", "localhost:8700")];
        let check = |uri| checked(Method::GET, uri, PORT, &host);
        assert_eq!(check("http://localhost:8700/"), None);
        assert!(check("http://evil.example:8700/").is_some());
        assert!(check("http://user@localhost:8700/").is_some());
        assert!(check("https://localhost:8700/").is_some());
        assert!(check("evil.example:8700").is_some());
    }

    #[test]
    fn only_the_own_origin_is_served() {
        let check = |origin| get(&[("host", "localhost:8700"), ("origin", origin)]);
        for origin in [
            "http://localhost:8700",
            "http://127.0.0.1:8700",
            "http://[::1]:8700",
        ] {
            assert_eq!(check(origin), None, "{origin}");
        }
        for origin in [
            "",
            "null",
            "https://localhost:8700",
            "http://localhost",
            "http://localhost:8701",
            "http://localhost:8700/",
            "http://localhost:8700 http://evil.example",
            "http://evil.example:8700",
            "localhost:8700",
            "file://",
        ] {
            assert!(check(origin).is_some(), "{origin}");
        }
        let own = ("origin", "http://localhost:8700");
        assert!(get(&[("host", "localhost:8700"), own, own]).is_some());
    }

    #[test]
    fn requests_of_other_sites_are_rejected() {
        let check = |site| get(&[("host", "localhost:8700"), ("sec-fetch-site", site)]);
        assert_eq!(check("same-origin"), None);
        assert_eq!(check("none"), None);
        for site in ["cross-site", "same-site", "", "None", "same-origin, none"] {
            assert!(check(site).is_some(), "{site}");
        }
    }

    #[test]
    fn posts_need_json() {
        let host = ("host", "localhost:8700");
        let check = |headers: &[_]| checked(Method::POST, "/api/freeze", PORT, headers);
        let typed = |value| check(&[host, ("content-type", value)]);
        assert_eq!(typed("application/json"), None);
        assert_eq!(typed("Application/JSON; charset=utf-8"), None);
        for value in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/jsonp",
            "text/plain; application/json",
            "",
        ] {
            assert!(typed(value).is_some(), "{value}");
        }
        assert!(check(&[host]).is_some());
        let json = ("content-type", "application/json");
        assert!(check(&[host, json, json]).is_some());
    }
}
