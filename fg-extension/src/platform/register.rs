//! The registration.

use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::Value;

use crate::config::Config;
use crate::platform::client::{ApiRequest, Rejection};
use crate::platform::retry::ApiError;
use crate::{Error, ExtensionName, Registration, RunError};

/// Registers with the platform (D 2707), within `FG_REGISTER_TIMEOUT`.
pub(crate) async fn register(
    name: ExtensionName,
    config: &Config,
) -> Result<Registration, RunError> {
    let address = config.port.address().to_string();
    let request = ApiRequest {
        platform: &config.platform,
        path: "/extension/register",
        headers: &[
            ("FunctionGraph-Extension-Name", name.as_str()),
            ("FunctionGraph-Extension-Address", &address),
        ],
        body: Bytes::new(),
        purpose: "registration",
    };
    match request.post(config.register_timeout).await {
        Ok(response) => Ok(registration(&response, config)),
        Err(ApiError::Rejected(rejection)) => Err(rejected(name, config, &rejection)),
        Err(ApiError::NoResponse(attempts, last)) => Err(unreachable(config, attempts, last)),
    }
}

/// Reads the response. Nobody outside the platform knows what a 200 may look like (?), so every one is a
/// registration, with one warning if it does not name the function as the page says.
fn registration(response: &Value, config: &Config) -> Registration {
    let text = |field: &str| {
        response[field]
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let (function_name, function_version) = (text("functionName"), text("functionVersion"));
    if function_name.is_none() || function_version.is_none() {
        tracing::warn!(
            "the platform at {} registered the extension without naming the function; \
             its name and version are those of RUNTIME_FUNC_NAME and RUNTIME_FUNC_VERSION, if set",
            config.platform,
        );
    }
    Registration {
        function_name: function_name.or_else(|| config.function_name.clone()),
        function_version: function_version.or_else(|| config.function_version.clone()),
        // The page's prose promises the handler's name, its example has none (?).
        handler: text("handler").or_else(|| text("handlerName")),
    }
}

fn rejected(name: ExtensionName, config: &Config, rejection: &Rejection) -> RunError {
    let hint = if rejection.status == StatusCode::OK || rejection.status.is_client_error() {
        format!(
            "its start script must be `extension/{name}` and no other extension may have its port"
        )
    } else {
        "a registration succeeds with status 200, so check EXTENSION_API_ADDR".to_owned()
    };
    RunError::rejected(format!(
        "the platform at {} rejected the registration of {name} at {} with {rejection}; {hint}",
        config.platform,
        config.port.address(),
    ))
}

fn unreachable(config: &Config, attempts: u32, last: Error) -> RunError {
    let message = format!(
        "no registration with the platform at {} in {:?} ({attempts} attempts); \
         check EXTENSION_API_ADDR, or set FG_REGISTER_TIMEOUT to wait longer",
        config.platform, config.register_timeout,
    );
    RunError::register_timeout(message, last)
}
