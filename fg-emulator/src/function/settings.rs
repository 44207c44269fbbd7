//! [`FunctionSettings`]: what a user sets for the function in the platform's console.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The settings of the function, which its process and the extensions read from their environment.
pub(crate) struct FunctionSettings {
    /// How long an invocation may take.
    pub(crate) timeout: Duration,
    /// How long the function may take to initialize.
    pub(crate) init_timeout: Option<Duration>,
    pub(crate) user_data: BTreeMap<String, String>,
}

/// The memory of the function, which is the platform's minimum (D, user guide).
pub(crate) const MEMORY_MB: u32 = 128;
/// The CPU that belongs to this memory, in thousandths of a core (D, user guide: memory / 128 × 100 + 200).
const CPU_MILLICORES: u32 = MEMORY_MB / 128 * 100 + 200;
/// The tenant in the URN of the function (I: it is the project ID).
pub(crate) const PROJECT_ID: &str = "1111";
/// The package in the URN of the function (I: it is the app to which the function belongs).
pub(crate) const PACKAGE: &str = "test";
/// The region in the URN of the function (I).
pub(crate) const REGION: &str = "cn";

impl Default for FunctionSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            init_timeout: None,
            user_data: BTreeMap::new(),
        }
    }
}

/// Without the values of the user data, which may be secrets.
impl fmt::Debug for FunctionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            timeout,
            init_timeout,
            user_data,
        } = self;
        f.debug_struct("FunctionSettings")
            .field("timeout", timeout)
            .field("init_timeout", init_timeout)
            .field("user_data", &user_data.keys())
            .finish()
    }
}

impl FunctionSettings {
    /// Returns the environment variables that contain the settings (D functiongraph_01_0154 for a function, I for an
    /// extension).
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("RUNTIME_PROJECT_ID", PROJECT_ID.to_owned()),
            ("RUNTIME_PACKAGE", PACKAGE.to_owned()),
            // I: a custom runtime has no other handler.
            ("RUNTIME_HANDLER", "bootstrap".to_owned()),
            ("RUNTIME_TIMEOUT", whole_seconds(self.timeout)),
            ("RUNTIME_MEMORY", MEMORY_MB.to_string()),
            ("RUNTIME_CPU", CPU_MILLICORES.to_string()),
        ];
        if let Some(timeout) = self.init_timeout {
            environment.push(("RUNTIME_INITIALIZER_TIMEOUT", whole_seconds(timeout)));
        }
        if !self.user_data.is_empty() {
            // Serializing a map of strings cannot fail.
            let user_data = serde_json::to_string(&self.user_data).unwrap_or_default();
            environment.push(("RUNTIME_USERDATA", user_data));
        }
        environment
    }
}

/// Returns the duration in seconds, rounded up, because the platform's time-outs are whole seconds.
pub(crate) fn whole_seconds(duration: Duration) -> String {
    duration.as_millis().div_ceil(1000).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::FunctionSettings;

    fn variable(settings: &FunctionSettings, name: &str) -> Option<String> {
        let mut environment = settings.environment().into_iter();
        environment.find_map(|(variable, value)| (variable == name).then_some(value))
    }

    #[test]
    fn user_data_is_a_json_map_and_not_set_if_it_is_empty() {
        let mut settings = FunctionSettings::default();
        assert_eq!(variable(&settings, "RUNTIME_USERDATA"), None);
        for (name, value) in [("URL", "http://collector"), ("QUOTED", "\"a\"\n")] {
            settings.user_data.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(
            variable(&settings, "RUNTIME_USERDATA").unwrap(),
            r#"{"QUOTED":"\"a\"\n","URL":"http://collector"}"#
        );
    }

    #[test]
    fn timeouts_are_rounded_up_to_seconds() {
        let mut settings = FunctionSettings::default();
        assert_eq!(variable(&settings, "RUNTIME_TIMEOUT").unwrap(), "30");
        assert_eq!(variable(&settings, "RUNTIME_INITIALIZER_TIMEOUT"), None);
        settings.timeout = Duration::from_millis(200);
        settings.init_timeout = Some(Duration::from_millis(2001));
        assert_eq!(variable(&settings, "RUNTIME_TIMEOUT").unwrap(), "1");
        assert_eq!(
            variable(&settings, "RUNTIME_INITIALIZER_TIMEOUT").unwrap(),
            "3"
        );
    }
}
