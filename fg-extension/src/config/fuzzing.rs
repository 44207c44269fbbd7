//! The settings in fuzz targets.

// A panic is how a target reports a problem.
#![allow(clippy::panic)]

use super::Environment;
use crate::config::Config;
use crate::{ExtensionName, Port};

/// Returns the settings of an extension in an environment that only has what is needed.
pub(crate) fn config() -> Config {
    let environment = Environment(|name| match name {
        "EXTENSION_API_ADDR" => Some("127.0.0.1:9001".into()),
        "RUNTIME_FUNC_NAME" => Some("name".into()),
        "RUNTIME_FUNC_VERSION" => Some("version".into()),
        _ => None,
    });
    let (name, port) = (ExtensionName::new("extensionFuzz.sh"), Port::new(8081));
    environment
        .read(name, port)
        .unwrap_or_else(|error| panic!("{error}"))
}
