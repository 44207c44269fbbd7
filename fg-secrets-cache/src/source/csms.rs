//! The source `csms`: Huawei Cloud's Cloud Secret Management Service, a part of Data Encryption Workshop (DEW).
//!
//! The API is documented in the *DEW API Reference* (**D**): `ShowSecretVersion` has the request and the response,
//! `dew_02_0052` the host names, and `ErrorCode` the error codes. It has not been tried with the real service.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fg_extension::{Error, Setting};
use fg_signature::{Credentials, sign};
use fg_util::error::{excerpt, one_line};
use hyper::{Request, StatusCode, Uri};
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::client::{Client, Response, is_loopback};
use super::{Fetched, SecretName, Source, SourceError, SourceErrorKind, json};

/// The setting with the region.
const REGION_SETTING: &str = "FG_SECRETS_REGION";
/// The setting with the project ID.
const PROJECT_ID_SETTING: &str = "FG_SECRETS_PROJECT_ID";
/// The variable with the project ID of the function, which the platform sets (D).
const FUNCTION_PROJECT_ID: &str = "RUNTIME_PROJECT_ID";
/// The setting with the URL of the service.
const ENDPOINT_SETTING: &str = "FG_SECRETS_ENDPOINT";

/// The maximum length of a name (D ShowSecretVersion).
const MAX_NAME_LEN: usize = 64;

/// Fetches the latest version of each secret from CSMS.
#[derive(Debug)]
pub(crate) struct Csms {
    client: Client,
    credentials: Credentials,
    /// The URL of the service, without a `/` at its end.
    endpoint: String,
    /// The host in the URL, and the port if it has one.
    host: String,
    project_id: String,
}

impl Csms {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting is missing or invalid, or if there is no access key.
    pub(crate) fn read(
        lookup: &impl Fn(&str) -> Result<Option<Setting>, Error>,
    ) -> Result<Self, Error> {
        let endpoint = match lookup(ENDPOINT_SETTING)? {
            Some(setting) => endpoint(&setting)?,
            None => format!("https://kms.{}.myhuaweicloud.com", region(lookup)?),
        };
        let host = endpoint.split_once("://").map_or("", |(_, host)| host);
        Ok(Self {
            client: Client::new(lookup)?,
            credentials: credentials(lookup)?,
            host: host.to_owned(),
            project_id: project_id(lookup)?,
            endpoint,
        })
    }
}

impl Source for Csms {
    async fn fetch(&self, name: &SecretName) -> Result<Fetched, SourceError> {
        if !is_csms_name(name.as_str()) {
            return Err(SourceError::new(
                SourceErrorKind::NotFound,
                "the name is not one of CSMS, which has 1 to 64 letters, digits, `_` and `-`",
            ));
        }
        let path = format!("/v1/{}/secrets/{name}/versions/latest", self.project_id);
        // The official SDKs send both headers.
        let headers = [
            ("Content-Type", "application/json"),
            ("X-Project-Id", &self.project_id),
        ];
        let signed = fg_signature::Request {
            method: "GET",
            host: &self.host,
            path: &path,
            query: "",
            headers: &headers,
            body: b"",
        };
        let mut request = Request::get(format!("{}{path}", self.endpoint));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in sign(&signed, &self.credentials, SystemTime::now()) {
            request = request.header(name, value);
        }
        let request = request
            .body(Vec::new())
            .map_err(|error| SourceError::failed(error.to_string()))?;
        let response = self.client.send(request).await?;
        match response.status {
            StatusCode::OK => fetched(&response.body),
            _ => Err(self.error(&response)),
        }
    }
}

impl Csms {
    /// Returns the error for a response that is not a success.
    fn error(&self, response: &Response) -> SourceError {
        let Response { status, body, .. } = response;
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        // Some services of DEW put the error into an object.
        let error = match &body["error"] {
            error @ Value::Object(_) => error,
            _ => &body,
        };
        let text = |field: &str| one_line(&excerpt(error[field].as_str().unwrap_or_default()));
        let (code, reason) = (text("error_code"), text("error_msg"));
        let (kind, hint) = match (code.as_str(), *status) {
            ("CSMS.0005" | "CSMS.0106", _) => (SourceErrorKind::NotFound, ""),
            ("CSMS.0103" | "CSMS.0107", _) => (SourceErrorKind::Denied, ""),
            // Seen in public reports (I), not on the page.
            ("CSMS.0401", _) => (
                SourceErrorKind::Denied,
                "; the owner of the access key also needs the permission to decrypt with the KMS key of the secret",
            ),
            (code, StatusCode::NOT_FOUND) if code.starts_with("CSMS.") => {
                (SourceErrorKind::NotFound, "")
            }
            (_, StatusCode::NOT_FOUND) => (
                SourceErrorKind::Failed,
                "; check FG_SECRETS_REGION, FG_SECRETS_PROJECT_ID and FG_SECRETS_ENDPOINT",
            ),
            // D apig-faq-0009: by more than 15 minutes.
            (_, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
                if reason.contains("signature expired") =>
            {
                (
                    SourceErrorKind::Failed,
                    "; the clock of this machine differs by more than 15 minutes from that of Huawei Cloud",
                )
            }
            // D apig-faq-0003: after five failures, for five minutes.
            (_, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
                if reason.contains("failed to reach the limit") =>
            {
                (
                    SourceErrorKind::Failed,
                    "; the access key is locked for five minutes, since its signatures were wrong; check the secret key",
                )
            }
            (_, StatusCode::UNAUTHORIZED) => (
                SourceErrorKind::Denied,
                "; check the access key, its secret key and, if it is temporary, its security token",
            ),
            (_, StatusCode::FORBIDDEN) => (
                SourceErrorKind::Denied,
                "; the owner of the access key needs the permissions csms:secretVersion:get and kms:cmk:decryptDataKey",
            ),
            _ => (SourceErrorKind::Failed, ""),
        };
        let details = match (code.is_empty(), reason.is_empty()) {
            (true, true) => String::new(),
            (false, true) => format!(": {code}"),
            (true, false) => format!(": {reason}"),
            (false, false) => format!(": {code}: {reason}"),
        };
        let host = &self.host;
        SourceError::new(
            kind,
            &format!("{host} responded with status {status}{details}{hint}"),
        )
    }
}

/// Reads the value and its version from a successful response.
fn fetched(body: &[u8]) -> Result<Fetched, SourceError> {
    let body = json::fields(body)
        .ok_or_else(|| SourceError::failed("CSMS responded with invalid JSON"))?;
    let version = object(body.get("version"));
    let text = |field: &str| version.get(field).and_then(|json| string(json));
    let value = match (text("secret_string"), text("secret_binary")) {
        (Some(text), _) => text,
        (None, Some(base64)) => STANDARD
            .decode(&*base64)
            .map(Zeroizing::new)
            .map_err(|_| SourceError::failed("the secret_binary of CSMS is not Base64"))?,
        (None, None) => {
            let problem = "the response of CSMS has neither a secret_string nor a secret_binary";
            return Err(SourceError::failed(problem));
        }
    };
    let fetched = Fetched::new(value);
    let metadata = object(version.get("version_metadata"));
    let id = metadata.get("id").and_then(|json| string(json));
    Ok(match id.as_deref().map(|id| String::from_utf8_lossy(id)) {
        Some(id) => fetched.with_version(id),
        None => fetched,
    })
}

/// Returns the fields of a JSON object, or none for any other JSON value.
fn object<'a>(json: Option<&&'a RawValue>) -> HashMap<Cow<'a, str>, &'a RawValue> {
    json.and_then(|json| json::fields(json.get().as_bytes()))
        .unwrap_or_default()
}

/// Returns the text of a JSON string, or `None` for any other JSON value.
fn string(json: &RawValue) -> Option<Zeroizing<Vec<u8>>> {
    json.get()
        .starts_with('"')
        .then(|| json::decode(json.get()))?
}

/// Returns whether a secret of CSMS can have this name (D ShowSecretVersion).
fn is_csms_name(name: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    name.len() <= MAX_NAME_LEN && name.bytes().all(is_valid)
}

/// Reads the access key. Its variables are those of the official SDKs and of Terraform.
fn credentials(
    lookup: &impl Fn(&str) -> Result<Option<Setting>, Error>,
) -> Result<Credentials, Error> {
    let failure = RefCell::new(None);
    let credentials = Credentials::from_variables(|name| match lookup(name) {
        Ok(setting) => setting.map(Setting::into_value),
        Err(error) => {
            failure.borrow_mut().get_or_insert(error);
            None
        }
    });
    match failure.into_inner() {
        Some(error) => Err(error),
        None => Ok(credentials?),
    }
}

fn region(lookup: &impl Fn(&str) -> Result<Option<Setting>, Error>) -> Result<String, Error> {
    let hint = "write the ID of the region, such as `cn-north-4`";
    let Some(setting) = lookup(REGION_SETTING)? else {
        return Err(format!("{REGION_SETTING} is not set; {hint}").into());
    };
    let is_valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match setting.value().bytes().all(is_valid) {
        true => Ok(setting.into_value()),
        false => Err(setting.invalid("is not a region", hint).into()),
    }
}

fn project_id(lookup: &impl Fn(&str) -> Result<Option<Setting>, Error>) -> Result<String, Error> {
    let hint = "write the ID of the project that has the secrets, which has 32 characters";
    let setting = match lookup(PROJECT_ID_SETTING)? {
        Some(setting) => Some(setting),
        None => lookup(FUNCTION_PROJECT_ID)?,
    };
    let Some(setting) = setting else {
        return Err(format!("{PROJECT_ID_SETTING} is not set; {hint}").into());
    };
    let value = setting.value();
    match value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => Ok(setting.into_value()),
        false => Err(setting.invalid("is not a project ID", hint).into()),
    }
}

/// Parses the URL of the service. Only a service on this machine may have one without TLS, since responses contain secrets.
fn endpoint(setting: &Setting) -> Result<String, Error> {
    let hint = "write a URL such as `https://kms.cn-north-4.myhuaweicloud.com`";
    let invalid = |problem: &str| Err(setting.invalid(problem, hint).into());
    let value = setting.value().trim_end_matches('/');
    let Ok(uri) = value.parse::<Uri>() else {
        return invalid("is not a URL");
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return invalid("is not a URL");
    };
    match scheme {
        "https" => {}
        "http" if is_loopback(authority.host()) => {}
        "http" => return invalid("has no TLS, but secrets would be sent over it"),
        _ => return invalid("does not start with `https://`"),
    }
    let has_more = uri.path() != "/" || uri.query().is_some() || value.contains(['@', '#']);
    match has_more {
        true => invalid("contains more than a host and a port"),
        false => Ok(format!("{scheme}://{authority}")),
    }
}
