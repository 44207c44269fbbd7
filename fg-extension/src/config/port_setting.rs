//! The value of a port setting: a port, or a list of ports by script name.

use fg_util::setting::{Setting, parse_port};
use fg_util::{port, script_name};

use crate::{ExtensionName, Port};

/// Returns the port that a setting assigns to the extension `name`, or `None` if its list does not contain that name.
///
/// All extensions of a function share its environment variables, so the value may list the ports by script name.
pub(super) fn choose_port(setting: &Setting, name: ExtensionName) -> Result<Option<Port>, String> {
    let value = setting.value();
    let range = format!("from {} to {}", port::FIRST, port::LAST);
    let fail = |problem: &str| {
        let hint = format!(
            "write a port such as `8085`, or a list such as `{name}=8085,extensionOther.sh=8086`"
        );
        Err(setting.invalid(problem, &hint))
    };
    let port = |text: &str| parse_port(text).and_then(|port| Port::try_from(port).ok());

    if !value.contains('=') {
        return match port(value) {
            Some(port) => Ok(Some(port)),
            None => fail(&format!("is not a port {range}")),
        };
    }
    // One invalid entry makes the whole list invalid: it may be a misspelled entry for this extension.
    let mut chosen = None;
    for entry in value
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        let Some((script, text)) = entry.split_once('=') else {
            return fail(&format!("has the entry `{entry}` without `=`"));
        };
        let script = script.trim();
        if script_name::check(script).is_err() {
            return fail(&format!(
                "has an entry for `{script}`, which is not a script name like `{name}`"
            ));
        }
        let Some(port) = port(text.trim()) else {
            return fail(&format!(
                "has the entry `{entry}`, whose port is not {range}"
            ));
        };
        if script == name.as_str() && chosen.replace(port).is_some_and(|other| other != port) {
            return fail(&format!("assigns two ports to {name}"));
        }
    }
    Ok(chosen)
}
