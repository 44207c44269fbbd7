//! The URN that selects a function in the management API, such as `urn:fss:cn-north-4:PROJECT:function:default:orders:latest` (D 0102).

use anyhow::bail;

/// The version that can be changed. All others are published, and so fixed.
const LATEST: &str = "latest";

/// The application that a function belongs to if none was chosen for it.
const DEFAULT_APPLICATION: &str = "default";

/// The function to change, and where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct FunctionUrn {
    pub(super) region: String,
    pub(super) project_id: String,
    application: String,
    name: String,
}

/// What the user wrote: a URN, or a name.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum FunctionChoice {
    Urn(FunctionUrn),
    Name { application: String, name: String },
}

impl FunctionChoice {
    /// Parses a URN with or without a version, `NAME`, or `APPLICATION:NAME`.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is none of these, or the URN of a published version.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let parts: Vec<_> = text.split(':').collect();
        // The name of a version may have a dot, and that of an alias begins with `!`.
        if let ["urn", "fss", _, _, "function", _, _, version] = parts.as_slice()
            && !version.is_empty()
            && *version != LATEST
        {
            bail!(
                "the version `{version}` of the function cannot be changed, since it is published; leave the version out, then \
                 publish a new version"
            );
        }
        if !parts.iter().all(|part| is_part(part)) {
            bail!(
                "`{text}` is not a function: write its name, APPLICATION:NAME, or its URN, which the console shows"
            );
        }
        match parts.as_slice() {
            [name] => Ok(Self::named(DEFAULT_APPLICATION, name)),
            [application, name] => Ok(Self::named(application, name)),
            [
                "urn",
                "fss",
                region,
                project_id,
                "function",
                application,
                name,
                version @ ..,
            ] if version.len() <= 1 => Ok(Self::Urn(FunctionUrn {
                region: (*region).to_owned(),
                project_id: (*project_id).to_owned(),
                application: (*application).to_owned(),
                name: (*name).to_owned(),
            })),
            _ => bail!(
                "`{text}` is not a URN such as urn:fss:REGION:PROJECT_ID:function:default:NAME; the console shows it"
            ),
        }
    }

    fn named(application: &str, name: &str) -> Self {
        Self::Name {
            application: application.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl FunctionUrn {
    pub(super) fn of_name(
        region: &str,
        project_id: &str,
        application: String,
        name: String,
    ) -> Self {
        Self {
            region: region.to_owned(),
            project_id: project_id.to_owned(),
            application,
            name,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the path of the function in the API.
    pub(super) fn path(&self) -> String {
        format!("/v2/{}/fgs/functions/{self}", self.project_id)
    }
}

impl std::fmt::Display for FunctionUrn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            region,
            project_id,
            application,
            name,
        } = self;
        write!(
            f,
            "urn:fss:{region}:{project_id}:function:{application}:{name}:{LATEST}"
        )
    }
}

/// Returns whether the text is a part of a URN: letters, digits, `_` and `-` (D 0106). It needs no escapes in a path.
pub(super) fn is_part(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::FunctionChoice;

    #[test]
    fn functions_are_urns_or_names() {
        let urn = "urn:fss:cn-north-4:46b6f3:function:default:orders";
        for text in [urn.to_owned(), format!("{urn}:latest")] {
            let FunctionChoice::Urn(parsed) = FunctionChoice::parse(&text).unwrap() else {
                panic!("{text} is a URN");
            };
            assert_eq!(parsed.to_string(), format!("{urn}:latest"));
            assert_eq!(
                parsed.path(),
                format!("/v2/46b6f3/fgs/functions/{urn}:latest")
            );
        }
        assert_eq!(
            FunctionChoice::parse("orders").unwrap(),
            FunctionChoice::named("default", "orders")
        );
        assert_eq!(
            FunctionChoice::parse("shop:orders").unwrap(),
            FunctionChoice::named("shop", "orders")
        );
        for text in [
            "",
            "a:b:c",
            "a/b",
            "urn:fss:r:p:function:default",
            "urn:fss:r:p:function:default:f:latest:x",
            "urn:fss:r::function:default:f",
            "urn:fss:r:p:function:default:f:",
        ] {
            assert!(FunctionChoice::parse(text).is_err(), "{text}");
        }
        for version in ["v1", "1.0", "!prod"] {
            let error = FunctionChoice::parse(&format!("{urn}:{version}")).unwrap_err();
            assert!(error.to_string().contains("it is published"), "{error}");
        }
    }
}
