//! The source `http`: a GET request for each secret.

#[cfg(test)]
mod tests;

use std::fmt;

use fg_extension::{Error, Setting};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Scheme;
use hyper::{Request, StatusCode, Uri};

use super::client::{Client, is_loopback};
use super::{Fetched, SecretName, Source, SourceError};
use crate::percent;

/// The setting with the URL of a secret.
const URL_SETTING: &str = "FG_SECRETS_URL";

/// The setting with the headers of each request.
const HEADERS_SETTING: &str = "FG_SECRETS_HEADERS";

/// What stands for the name in the URL.
const PLACEHOLDER: &str = "{name}";

/// Headers that the client and the protocol determine.
const RESERVED_HEADERS: [HeaderName; 4] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
];

/// Fetches secrets by GET requests. The body of the response is the value, and `ETag` its version.
#[derive(Debug)]
pub(crate) struct HttpSource {
    client: Client,
    url: UrlTemplate,
    headers: HeaderMap,
}

/// A URL that contains [`PLACEHOLDER`] in its path or query. `Debug` does not show it, since it may contain a key.
struct UrlTemplate(String);

impl HttpSource {
    /// Creates the source with its settings.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting is invalid, or if the URL is not set.
    pub(crate) fn read(
        lookup: &impl Fn(&str) -> Result<Option<Setting>, Error>,
    ) -> Result<Self, Error> {
        let url = lookup(URL_SETTING)?.ok_or_else(|| {
            format!("{URL_SETTING} is not set; write a URL such as `https://vault.example/secrets/{PLACEHOLDER}`")
        })?;
        let headers = lookup(HEADERS_SETTING)?;
        Ok(Self {
            client: Client::new(lookup)?,
            url: UrlTemplate::parse(&url)?,
            headers: headers
                .as_ref()
                .map_or(Ok(HeaderMap::new()), parse_headers)?,
        })
    }
}

impl Source for HttpSource {
    async fn fetch(&self, name: &SecretName) -> Result<Fetched, SourceError> {
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = self.url.with_name(name)?;
        request.headers_mut().clone_from(&self.headers);
        let response = self.client.send(request).await?;
        let status = response.status;
        match status {
            StatusCode::OK => {
                let version = response.headers.get(header::ETAG);
                let version = version.and_then(|version| version.to_str().ok());
                let fetched = Fetched::new(response.body);
                Ok(match version {
                    Some(version) => fetched.with_version(version.trim_matches('"')),
                    None => fetched,
                })
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(SourceError::not_found()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(SourceError::denied(format!(
                "the source denied access with status {}; check {HEADERS_SETTING}",
                status.as_u16()
            ))),
            _ if status.is_redirection() => Err(SourceError::failed(format!(
                "the source responded with status {}, and redirects are not followed; write the final URL into {URL_SETTING}",
                status.as_u16()
            ))),
            _ => Err(SourceError::failed(format!(
                "the source responded with status {}",
                status.as_u16()
            ))),
        }
    }
}

impl UrlTemplate {
    fn parse(setting: &Setting) -> Result<Self, Error> {
        let template = setting.value();
        // The value is not shown, since the URL may contain a key.
        let invalid = |problem: &str, hint: &str| {
            let message = setting.unreadable(&format!("the value {problem}; {hint}"));
            Err(message.into())
        };
        let example = "write a URL such as `https://vault.example/secrets/{name}`";
        let Ok(uri) = template.replace(PLACEHOLDER, "name").parse::<Uri>() else {
            return invalid("is not a URL", example);
        };
        let host = uri.host().unwrap_or_default();
        let scheme = uri.scheme();
        if host.is_empty() || scheme != Some(&Scheme::HTTPS) && scheme != Some(&Scheme::HTTP) {
            return invalid("is not a URL that starts with `https://`", example);
        }
        if scheme == Some(&Scheme::HTTP) && !is_loopback(host) {
            let hint = "write `https://`, or the address of a proxy on 127.0.0.1";
            return invalid("would send secrets without encryption", hint);
        }
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            let hint = "put the credentials into FG_SECRETS_HEADERS";
            return invalid("contains a user name", hint);
        }
        let Some((base, _)) = template.split_once(PLACEHOLDER) else {
            return invalid("has no `{name}`", example);
        };
        let after_scheme = base.split_once("://").map_or("", |(_, it)| it);
        if !after_scheme.contains(['/', '?']) {
            return invalid("has its `{name}` before the path", example);
        }
        Ok(Self(template.to_owned()))
    }

    fn with_name(&self, name: &SecretName) -> Result<Uri, SourceError> {
        // A name consists of characters that a URL can contain.
        let url = self.0.replace(PLACEHOLDER, name.as_str());
        let invalid = |_| SourceError::failed(format!("{URL_SETTING} is not a URL for {name}"));
        url.parse().map_err(invalid)
    }
}

/// Parses a list of headers, such as `X-Vault-Token=abc,X-Tenant=a%20b`.
fn parse_headers(setting: &Setting) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    let entries = setting.value().split(',').map(str::trim);
    for (index, entry) in entries.filter(|entry| !entry.is_empty()).enumerate() {
        let (name, value) = parse_header(index + 1, entry).map_err(|problem| {
            let hint =
                "write pairs such as `X-Vault-Token=secret,X-Tenant=a%20b`, percent-encoded where needed";
            setting.unreadable(&format!("{problem}; {hint}"))
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// Parses the entry of a list of headers with this number, or returns what is wrong with it. That does not quote the entry,
/// which may be a credential.
fn parse_header(number: usize, entry: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = entry
        .split_once('=')
        .ok_or_else(|| format!("entry {number} has no `=`"))?;
    let name = HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| format!("entry {number} has no valid header name before its `=`"))?;
    if RESERVED_HEADERS.contains(&name) {
        return Err(format!(
            "entry {number} is a header that the client itself sets"
        ));
    }
    let value = percent::decode(value.trim()).and_then(|it| HeaderValue::try_from(it).ok());
    let mut value =
        value.ok_or_else(|| format!("entry {number} has no valid header value after its `=`"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

impl fmt::Debug for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlTemplate").finish_non_exhaustive()
    }
}
