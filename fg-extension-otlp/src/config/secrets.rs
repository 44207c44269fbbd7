//! `${secret:NAME}` in the values of headers, and where the secrets come from.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use fg_extension::Error;
use fg_util::secrets::{
    ADDRESS_SETTING, DEFAULT_ADDRESS, DEFAULT_TOKEN_FILE, NAME_HINT, TOKEN_FILE_SETTING,
    TOKEN_SETTING, is_name, parse_address,
};
use hyper::header::{HeaderName, HeaderValue};

use super::parse::percent_decoded;
use super::settings::Settings;

/// The start of a reference to a secret, before its name and a `}`.
pub(super) const REFERENCE: &str = "${secret:";

/// A header whose value contains secrets.
#[derive(Clone, Debug)]
pub(crate) struct SecretHeader {
    pub(crate) name: HeaderName,
    /// The parts of the value, in their order.
    pub(crate) value: Vec<ValuePart>,
}

/// A part of the value of a header.
#[derive(Clone, Debug)]
pub(crate) enum ValuePart {
    /// Marked as sensitive, as are all values of headers.
    Text(HeaderValue),
    /// The name of a secret.
    Secret(String),
}

/// Where the secrets cache is, and how a request proves that it may have a secret.
#[derive(Clone, Debug)]
pub(crate) struct SecretsConfig {
    pub(crate) address: SocketAddr,
    pub(crate) token: TokenSource,
}

/// Where the token for the secrets cache comes from.
#[derive(Clone)]
pub(crate) enum TokenSource {
    Setting(HeaderValue),
    File(PathBuf),
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(_) => f.write_str("Setting(***)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl SecretsConfig {
    /// Reads the settings, which are the same as those of the cache.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting is invalid.
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, Error> {
        let address = settings.parse(ADDRESS_SETTING, |setting| Ok(parse_address(setting)?))?;
        let token = settings.parse(TOKEN_SETTING, |setting| {
            let mut token = HeaderValue::from_str(setting.value()).map_err(|_| {
                let hint =
                    "write the token that the secrets cache has, in visible ASCII characters";
                setting.invalid("cannot be sent in a header", hint)
            })?;
            token.set_sensitive(true);
            Ok(token)
        })?;
        let file = settings.get(TOKEN_FILE_SETTING)?;
        let file = file.map_or(DEFAULT_TOKEN_FILE.to_owned(), |file| file.into_value());
        Ok(Self {
            address: address.unwrap_or(DEFAULT_ADDRESS),
            token: match token {
                Some(token) => TokenSource::Setting(token),
                None => TokenSource::File(file.into()),
            },
        })
    }
}

/// Parses the percent-encoded value of a header that contains references to secrets.
///
/// References are recognized before the value is decoded, so that `%24{secret:…}` is a text that looks like one. Returns what
/// is wrong with the value, without the value.
pub(super) fn value(text: &str) -> Result<Vec<ValuePart>, String> {
    let mut parts = Vec::new();
    let mut pieces = text.split(REFERENCE);
    push_text(&mut parts, pieces.next().unwrap_or_default())?;
    for piece in pieces {
        let Some((name, after)) = piece.split_once('}') else {
            return Err(format!("a `{REFERENCE}` has no `}}` after it"));
        };
        if !is_name(name) {
            return Err(format!(
                "the name in a `{REFERENCE}…}}` is invalid; {NAME_HINT}"
            ));
        }
        parts.push(ValuePart::Secret(name.to_owned()));
        push_text(&mut parts, after)?;
    }
    Ok(parts)
}

/// Adds a text that is not empty.
fn push_text(parts: &mut Vec<ValuePart>, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let decoded = percent_decoded(text);
    let value = decoded.and_then(|text| HeaderValue::try_from(text).ok());
    let mut value = value.ok_or("the value is not a valid header value")?;
    value.set_sensitive(true);
    parts.push(ValuePart::Text(value));
    Ok(())
}
