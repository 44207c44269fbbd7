//! [`FunctionSettings`]: what a user sets for the function in the platform's console.

use std::collections::BTreeMap;

/// The settings of the function, which its processes and the extensions read from their environment.
#[derive(Debug, Default)]
pub(crate) struct FunctionSettings {
    pub(crate) user_data: BTreeMap<String, String>,
}

impl FunctionSettings {
    /// Returns the environment variables that contain the settings (D functiongraph_01_0406 for a custom runtime, I for an
    /// extension).
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = Vec::new();
        if !self.user_data.is_empty() {
            // Serializing a map of strings cannot fail.
            let user_data = serde_json::to_string(&self.user_data).unwrap_or_default();
            environment.push(("RUNTIME_USERDATA", user_data));
        }
        environment
    }
}

#[cfg(test)]
mod tests {
    use super::FunctionSettings;

    #[test]
    fn user_data_is_a_json_map_and_not_set_if_it_is_empty() {
        let mut settings = FunctionSettings::default();
        assert_eq!(settings.environment(), []);
        for (name, value) in [("URL", "http://collector"), ("QUOTED", "\"a\"\n")] {
            settings.user_data.insert(name.to_owned(), value.to_owned());
        }
        let json = r#"{"QUOTED":"\"a\"\n","URL":"http://collector"}"#;
        assert_eq!(
            settings.environment(),
            [("RUNTIME_USERDATA", json.to_owned())]
        );
    }
}
