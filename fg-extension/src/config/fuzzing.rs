//! The settings in fuzz targets.

// A panic is how a target reports a problem.
#![allow(clippy::panic)]

use super::Sources;
use crate::config::Config;
use crate::{ExtensionName, Port};

/// Returns the settings of an extension in an environment that only has what is needed.
pub(crate) fn config() -> Config {
    let variable = |name: &str| match name {
        "EXTENSION_API_ADDR" => Some("127.0.0.1:9001".into()),
        "RUNTIME_FUNC_NAME" => Some("name".into()),
        "RUNTIME_FUNC_VERSION" => Some("version".into()),
        _ => None,
    };
    let sources = Sources {
        variable,
        file: &Ok(None),
    };
    let (name, port) = (ExtensionName::new("extensionFuzz.sh"), Port::new(8081));
    sources
        .config(name, port)
        .unwrap_or_else(|error| panic!("{error}"))
}
