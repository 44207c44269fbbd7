use super::bad;
use super::values::parse_port;
use crate::{ExtensionName, Port, RunError};

/// The port that the setting gives to the extension `name`, if it gives it one.
///
/// A function's environment is shared by all its extensions, so the value may be a list by script name.
pub(super) fn choose_port(
    setting: &'static str,
    value: &str,
    name: ExtensionName,
) -> Result<Option<Port>, RunError> {
    let bad = |why: &str| {
        Err(bad(
            setting,
            value,
            why,
            &format!(
                "write a port from 8081 to 8090, as in `8085` or `{name}=8085,extensionOther.sh=8086`"
            ),
        ))
    };
    let port = |text: &str| parse_port(text).and_then(Port::checked);

    if !value.contains('=') {
        return match port(value) {
            Some(port) => Ok(Some(port)),
            None => bad("is not a port from 8081 to 8090"),
        };
    }
    // A list is judged as a whole: half of one may be what somebody meant for us.
    let mut chosen = None;
    for entry in value
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        let Some((script, text)) = entry.split_once('=') else {
            return bad(&format!("has an entry without `=`, `{entry}`"));
        };
        let script = script.trim();
        if !(script.starts_with("extension") && script.ends_with(".sh")) {
            return bad(&format!(
                "has an entry for `{script}`, which is no script name like `{name}`"
            ));
        }
        let Some(port) = port(text.trim()) else {
            return bad(&format!("gives {script} no port from 8081 to 8090"));
        };
        if script == name.as_str() && chosen.replace(port).is_some_and(|other| other != port) {
            return bad(&format!("gives {name} two ports"));
        }
    }
    Ok(chosen)
}
