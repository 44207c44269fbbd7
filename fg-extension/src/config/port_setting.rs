//! The value of a port setting: one port, or a list by script name.

use fg_util::setting::{invalid, parse_port};
use fg_util::{port, script_name};

use crate::{ExtensionName, Port};

/// Returns the port that the setting gives to the extension `name`; `None` if its list does not have that name.
///
/// A function's environment is shared by all its extensions, so the value may be a list by script name.
pub(super) fn choose_port(
    setting: &'static str,
    value: &str,
    name: ExtensionName,
) -> Result<Option<Port>, String> {
    let range = format!("from {} to {}", port::FIRST, port::LAST);
    let fail = |problem: &str| {
        let hint =
            format!("write a port {range}, as in `8085` or `{name}=8085,extensionOther.sh=8086`");
        Err(invalid(setting, value, problem, &hint))
    };
    let port = |text: &str| parse_port(text).and_then(|port| Port::try_from(port).ok());

    if !value.contains('=') {
        return match port(value) {
            Some(port) => Ok(Some(port)),
            None => fail(&format!("is not a port {range}")),
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
            return fail(&format!("has an entry without `=`, `{entry}`"));
        };
        let script = script.trim();
        if script_name::check(script).is_err() {
            return fail(&format!(
                "has an entry for `{script}`, which is not a script name like `{name}`"
            ));
        }
        let Some(port) = port(text.trim()) else {
            return fail(&format!("gives {script} no port {range}"));
        };
        if script == name.as_str() && chosen.replace(port).is_some_and(|other| other != port) {
            return fail(&format!("gives {name} two ports"));
        }
    }
    Ok(chosen)
}
