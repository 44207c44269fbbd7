//! The address of the API: that of a region, or another one.

use std::net::IpAddr;
use std::str::FromStr;

use ureq::http::Uri;
use ureq::http::uri::Scheme;

/// A base URL without a path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Endpoint {
    scheme: &'static str,
    /// The host, and the port unless it is the default one: what the header `Host` contains.
    host: String,
}

impl Endpoint {
    /// Returns the endpoint of the region (D: the regions of `huaweicloudsdkfunctiongraph`).
    pub(super) fn of_region(region: &str) -> Self {
        Self {
            scheme: "https",
            host: format!("functiongraph.{region}.myhuaweicloud.com"),
        }
    }

    pub(super) fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Returns the URL of a path with a query, which may be empty.
    pub(super) fn url(&self, path: &str, query: &str) -> String {
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{}://{}{path}{separator}{query}", self.scheme, self.host)
    }
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text
            .trim_end_matches('/')
            .parse()
            .map_err(|_| "not a URL such as https://functiongraph.example.com")?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err("not a URL such as https://functiongraph.example.com");
        };
        if authority.as_str().contains('@') {
            return Err("a URL with a user name is not supported");
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err("the URL must not have a path");
        }
        let (scheme, default_port) = if *scheme == Scheme::HTTPS {
            ("https", 443)
        } else if *scheme == Scheme::HTTP && is_loopback(authority.host()) {
            ("http", 80)
        } else {
            // The code of the function and the token of temporary keys are in the requests.
            return Err("must be an https:// URL, or one of this machine");
        };
        let host = match authority.port_u16() {
            Some(port) if port != default_port => format!("{}:{port}", authority.host()),
            _ => authority.host().to_owned(),
        };
        Ok(Self { scheme, host })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn endpoints_are_https_or_local() {
        for (text, url) in [
            ("https://a.example.com", "https://a.example.com/p?q"),
            ("https://a.example.com:443/", "https://a.example.com/p?q"),
            (
                "https://a.example.com:8443",
                "https://a.example.com:8443/p?q",
            ),
            ("http://127.0.0.1:80", "http://127.0.0.1/p?q"),
            ("http://[::1]:8080", "http://[::1]:8080/p?q"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.url("/p", "q"), url);
        }
        assert_eq!(
            Endpoint::of_region("cn-north-4").url("/p", ""),
            "https://functiongraph.cn-north-4.myhuaweicloud.com/p"
        );
        for text in [
            "",
            "example.com",
            "http://example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "https://example.com/v2",
            "https://example.com?x",
            "https://user@example.com",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
