//! The registration with the platform.

use fg_util::duration;
use hyper::StatusCode;

use crate::config::Config;
use crate::json;
use crate::platform::client::{ApiRequest, Rejection};
use crate::platform::retry::{ApiError, count_attempts};
use crate::{Error, ExtensionName, Registration, RunError};

/// Registers with the platform (D 2707), retrying for up to `FG_REGISTER_TIMEOUT`.
pub(crate) async fn register(
    name: ExtensionName,
    config: &Config,
) -> Result<Registration, RunError> {
    let address = config.port.authority();
    let request = ApiRequest {
        platform: &config.platform,
        path: "/extension/register",
        headers: &[
            ("functiongraph-extension-name", name.as_str()),
            ("functiongraph-extension-address", &address),
        ],
        body: Vec::new(),
        purpose: "registration",
    };
    match request.post(config.register_timeout).await {
        Ok(response) => Ok(registration(&response, config)),
        Err(ApiError::Rejected(rejection)) => Err(rejected(name, config, &rejection)),
        Err(ApiError::NoResponse(attempts, last)) => Err(unreachable(config, attempts, last)),
    }
}

/// Reads the platform's response to a successful registration.
///
/// The exact form of the response is unknown (?), so everything with status 200 is accepted. If it does not name the
/// function, as the page documents, the runtime logs a warning.
pub(super) fn registration(response: &[u8], config: &Config) -> Registration {
    let response = str::from_utf8(response).unwrap_or_default();
    let text = |name| {
        let text = json::text(json::field(response, name)?)?.into_owned();
        Some(text).filter(|text| !text.is_empty())
    };
    let (function_name, function_version) = (text("functionName"), text("functionVersion"));
    if function_name.is_none() || function_version.is_none() {
        warn!(
            "the platform at {} did not name the function in its response to the registration; \
             using RUNTIME_FUNC_NAME and RUNTIME_FUNC_VERSION, if set",
            config.platform,
        );
    }
    Registration {
        function_name: function_name.or_else(|| config.function_name.clone()),
        function_version: function_version.or_else(|| config.function_version.clone()),
        // The text of the page mentions the handler's name, but its example does not contain it (?).
        handler: text("handler").or_else(|| text("handlerName")),
    }
}

fn rejected(name: ExtensionName, config: &Config, rejection: &Rejection) -> RunError {
    let hint = if rejection.status == StatusCode::OK || rejection.status.is_client_error() {
        format!(
            "its start script must be `extension/{name}`, and its port must differ from those of other extensions"
        )
    } else {
        "expected status 200; check EXTENSION_API_ADDR".to_owned()
    };
    RunError::rejected(format!(
        "the platform at {} rejected the registration of {name} at {} with {rejection}; {hint}",
        config.platform,
        config.port.authority(),
    ))
}

fn unreachable(config: &Config, attempts: u32, last: Error) -> RunError {
    let message = format!(
        "cannot register with the platform at {} within {} ({})",
        config.platform,
        duration::format(config.register_timeout),
        count_attempts(attempts),
    );
    let hint = "check EXTENSION_API_ADDR, or increase FG_REGISTER_TIMEOUT".to_owned();
    RunError::register_timeout(message, last, hint)
}
