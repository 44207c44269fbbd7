//! Where settings come from: the environment, `RUNTIME_USERDATA`, and a file beside the program.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::sync::OnceLock;

use fg_util::env_file;
use fg_util::error::one_line;
use fg_util::setting::{Setting, SettingSource};

use crate::{Error, json};

/// The variable with the JSON object of what a user sets in the function's console (D, custom runtimes).
const USER_DATA: &str = "RUNTIME_USERDATA";

process_static! {
    /// The file beside the program, read once.
    fn file() -> OnceLock<Result<Option<SettingsFile>, String>> = OnceLock::new();
}

/// Returns a setting: an environment variable, or else the field of the JSON object in `RUNTIME_USERDATA` with this name,
/// or else the line of the file that `cargo fg package --env-file` puts beside the program.
///
/// The runtime looks up its own settings in the same way. An empty value counts as unset. `None` means that the setting has no
/// value in any of the three.
///
/// ```
/// use fg_extension::{Error, setting};
///
/// fn sample_rate() -> Result<f64, Error> {
///     let Some(setting) = setting("SAMPLE_RATE")? else {
///         return Ok(1.0);
///     };
///     let rate = setting.value().parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
///     // "cannot read SAMPLE_RATE from RUNTIME_USERDATA: `all` is not a rate; write a number from 0 to 1"
///     rate.ok_or_else(|| setting.invalid("is not a rate", "write a number from 0 to 1").into())
/// }
/// ```
///
/// # Errors
///
/// Returns an error if the variable is not UTF-8, if the field in `RUNTIME_USERDATA` is an object or an array, or if the file cannot be
/// read. A `RUNTIME_USERDATA` that is not a JSON object is ignored, since the function's user may need it for other things; the
/// runtime logs a warning about it.
pub fn setting(name: &str) -> Result<Option<Setting>, Error> {
    Ok(Sources::of_process().get(name)?)
}

/// The places in which settings are looked up. The function returns the value of an environment variable.
pub(crate) struct Sources<'a, F> {
    pub(super) variable: F,
    pub(super) file: &'a Result<Option<SettingsFile>, String>,
}

/// A file with settings.
pub(crate) struct SettingsFile {
    pub(super) name: String,
    pub(super) text: String,
}

impl Sources<'static, fn(&str) -> Option<OsString>> {
    pub(crate) fn of_process() -> Self {
        Self {
            variable: |name| std::env::var_os(name),
            file: file().get_or_init(SettingsFile::read),
        }
    }
}

impl<F: Fn(&str) -> Option<OsString>> Sources<'_, F> {
    /// Returns a setting from the first place that has a value for it.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Setting>, String> {
        if let Some(setting) = self.variable(name)? {
            return Ok(Some(setting));
        }
        if let Some(setting) = self.user_data_field(name)? {
            return Ok(Some(setting));
        }
        let Some(file) = self.file.as_ref()? else {
            return Ok(None);
        };
        let source = SettingSource::File(file.name.clone());
        let value = env_file::value(&file.text, name);
        Ok(value.and_then(|value| Setting::new(name, value, source)))
    }

    /// Returns a setting from the environment, as for variables that the platform sets.
    pub(crate) fn variable(&self, name: &str) -> Result<Option<Setting>, String> {
        let Some(value) = (self.variable)(name) else {
            return Ok(None);
        };
        let setting = Setting::new(name, &value.to_string_lossy(), SettingSource::Environment);
        match setting {
            Some(setting) if value.to_str().is_none() => {
                Err(setting.invalid("is not UTF-8", "write it in UTF-8"))
            }
            setting => Ok(setting),
        }
    }

    fn user_data_field(&self, name: &str) -> Result<Option<Setting>, String> {
        let Some(object) = self.user_data() else {
            return Ok(None);
        };
        let Some(field) = json::field(&object, name) else {
            return Ok(None);
        };
        // How the platform writes numbers is unknown (?).
        let value = match json::text(field) {
            Some(text) => text,
            None if field.starts_with(['{', '[']) => {
                return Err(format!(
                    "cannot read {name} from {USER_DATA}: the value is a JSON object or array; write text or a number"
                ));
            }
            None if field == "null" => return Ok(None),
            None => field.into(),
        };
        Ok(Setting::new(name, &value, SettingSource::UserData))
    }

    fn user_data(&self) -> Option<String> {
        (self.variable)(USER_DATA)?.into_string().ok()
    }

    /// Returns a warning if `RUNTIME_USERDATA` cannot be read.
    pub(super) fn user_data_warning(&self) -> Option<String> {
        let is_set = (self.variable)(USER_DATA).is_some_and(|value| !value.is_empty());
        let is_object = self.user_data().is_some_and(|text| json::is_object(&text));
        (is_set && !is_object).then(|| {
            // It may contain secrets, so it is not quoted.
            format!("{USER_DATA} is not a JSON object, so no settings are read from it")
        })
    }
}

impl SettingsFile {
    /// Reads the file whose name is that of the program with `.env` at its end. Returns `None` if it does not exist.
    fn read() -> Result<Option<Self>, String> {
        // Without the path of the program, there is no place to look.
        let Ok(mut path) = std::env::current_exe().map(|path| path.into_os_string()) else {
            return Ok(None);
        };
        path.push(".env");
        let path = std::path::PathBuf::from(path);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let name = path.file_name().unwrap_or_default();
                let name = name.to_string_lossy().into_owned();
                Ok(Some(Self { name, text }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(one_line(&format!(
                "cannot read {}: {error}",
                path.display()
            ))),
        }
    }
}
