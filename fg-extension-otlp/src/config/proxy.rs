//! The settings of proxies: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, and `NO_PROXY`, in upper or lower case.

use fg_extension::{Error, Setting};
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::Scheme;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::host;
use super::settings::Settings;

/// The proxy of an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    /// The `http` URL without user name and password.
    pub(crate) uri: Uri,
    /// The value of `proxy-authorization`, which is marked as sensitive.
    pub(crate) authorization: Option<HeaderValue>,
    /// The name of the setting.
    pub(crate) setting: String,
}

impl Proxy {
    /// Returns the proxy to use for an endpoint, or `None` to connect to it directly.
    ///
    /// The lower case of a name counts if the upper case is unset, as in Go and in most other languages. Loopback
    /// addresses have no proxy, because a proxy cannot reach them.
    pub(super) fn read(settings: &Settings<'_>, endpoint: &Uri) -> Option<Self> {
        let is_loopback = host::address(endpoint).is_some_and(|address| address.is_loopback());
        if is_loopback || host::is_localhost(endpoint) {
            return None;
        }
        let of_scheme = match endpoint.scheme() == Some(&Scheme::HTTPS) {
            true => "HTTPS_PROXY",
            false => "HTTP_PROXY",
        };
        let mut names = [of_scheme, "ALL_PROXY"].into_iter();
        let proxy = names.find_map(|name| either_case(settings, name, parse))?;
        let excluded = either_case(settings, "NO_PROXY", |setting| {
            Ok(setting.value().to_owned())
        });
        let is_excluded = excluded.is_some_and(|list| is_excluded(endpoint, &list));
        (!is_excluded).then_some(proxy)
    }

    /// Returns the address for messages.
    pub(crate) fn host(&self) -> &str {
        self.uri
            .authority()
            .map_or("", |authority| authority.as_str())
    }
}

fn either_case<T>(
    settings: &Settings<'_>,
    name: &str,
    parse: fn(&Setting) -> Result<T, Error>,
) -> Option<T> {
    settings
        .parse_or_warn(name, parse)
        .or_else(|| settings.parse_or_warn(&name.to_ascii_lowercase(), parse))
}

/// Parses the URL of a proxy. The scheme may be missing.
///
/// The value may contain a password, so it is not part of the error message.
fn parse(setting: &Setting) -> Result<Proxy, Error> {
    let any = Uri::from_static("http://any");
    let proxy = Matcher::builder().all(setting.value()).build();
    let proxy = proxy
        .intercept(&any)
        .filter(|proxy| proxy.uri().scheme() == Some(&Scheme::HTTP))
        .filter(|proxy| is_address(proxy.uri()));
    let Some(proxy) = proxy else {
        let reason = "the value is not the `http://` URL of a proxy; write a URL such as `http://proxy.example:3128`";
        return Err(setting.unreadable(reason).into());
    };
    Ok(Proxy {
        uri: proxy.uri().clone(),
        authorization: Intercept::basic_auth(&proxy).cloned(),
        setting: setting.name().to_owned(),
    })
}

/// Returns whether the URL has a host, a valid port if it has one, and nothing that may be a part of a password.
fn is_address(uri: &Uri) -> bool {
    let Some(authority) = uri.authority() else {
        return false;
    };
    let port = authority.as_str().strip_prefix(authority.host());
    let has_valid_port = match port {
        Some("") => true,
        Some(_) => authority.port_u16().is_some_and(|port| port != 0),
        // A user name precedes the host: the password contains an `@` that is not percent-encoded.
        None => false,
    };
    !authority.host().is_empty() && has_valid_port
}

/// Returns whether the list, the value of `NO_PROXY`, contains the endpoint.
fn is_excluded(endpoint: &Uri, list: &str) -> bool {
    let port = host::port(endpoint);
    // The matcher knows neither ports nor brackets, and `*` only for names.
    let host_of = |entry| {
        let (host, entry_port) = split_port(entry);
        let is_same_port = entry_port.is_none_or(|digits| digits.parse() == Ok(port));
        let host = host
            .strip_prefix('*')
            .filter(|it| it.starts_with('.'))
            .unwrap_or(host);
        is_same_port.then_some(host)
    };
    let list: Vec<&str> = list.split(',').map(str::trim).filter_map(host_of).collect();
    if list.contains(&"*") {
        return true;
    }
    let matcher = Matcher::builder().all("proxy").no(list.join(","));
    matcher.build().intercept(endpoint).is_none()
}

/// Splits an entry of `NO_PROXY` into host and port.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = entry.strip_prefix('[').and_then(|it| it.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match entry.split_once(':') {
        // An address without brackets has several colons.
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (entry, None),
    }
}
