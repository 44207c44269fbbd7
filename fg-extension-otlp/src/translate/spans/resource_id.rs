//! `cloud.resource_id` of an invocation.

use fg_extension::FunctionUrn;

/// Returns the URN of the function that ran. An alias is replaced with the version that it resolved to, or left out if
/// that is unknown, as the conventions for FaaS ask: the same instance can serve several aliases.
pub(crate) fn resource_id(urn: &FunctionUrn, version: Option<&str>) -> String {
    let Some(alias) = urn.alias() else {
        return urn.as_str().to_owned();
    };
    let text = urn.as_str();
    let base = text.strip_suffix(alias).unwrap_or(text);
    let base = base.trim_end_matches('!').trim_end_matches(':');
    match version {
        // A registration spells it `$LATEST`, a URN `latest` (D 2707).
        Some(version) if version.eq_ignore_ascii_case("$latest") => format!("{base}:latest"),
        Some(version) => format!("{base}:{version}"),
        None => base.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn alias_is_replaced_with_the_version() {
        let id = |urn: &str, version| {
            let urn: FunctionUrn = serde_json::from_value(json!(urn)).unwrap();
            resource_id(&urn, version)
        };
        let function = "urn:fss:cn-north-4:0a1b:function:default:hello";
        let alias = format!("{function}:!prod");
        assert_eq!(id(&alias, Some("7")), format!("{function}:7"));
        assert_eq!(id(&alias, Some("$LATEST")), format!("{function}:latest"));
        assert_eq!(id(&alias, None), function);
        assert_eq!(
            id(&format!("{function}:3"), Some("7")),
            format!("{function}:3")
        );
        assert_eq!(id(function, Some("7")), function);
        assert_eq!(id("no URN:!a", Some("7")), "no URN:!a");
        let internal = "sn:cn:yrk:1111:function:0@test@hello";
        assert_eq!(
            id(&format!("{internal}:!a"), Some("7")),
            format!("{internal}:7")
        );
    }
}
