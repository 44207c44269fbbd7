//! The URN of a function.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The URN that identifies a function.
///
/// Two forms are known, and there are accessors for the parts of both:
///
/// - public (D): `urn:fss:<region>:<project>:function:<package>:<name>[:<version> | :!<alias>]`
/// - internal (D 2707, the page's example):
///   `<product>:<region>:<business>:<tenant>:function:0@<package>@<name>[:<version>]`
///
/// ```
/// use fg_extension::FunctionUrn;
///
/// let urn = FunctionUrn::from("sn:cn:yrk:1111:function:0@test@hello:latest");
/// assert_eq!(urn.project(), Some("1111"));
/// assert_eq!(urn.package(), Some("test"));
/// assert_eq!(urn.name(), Some("hello"));
/// assert_eq!(urn.version(), Some("latest"));
///
/// let urn = FunctionUrn::from("urn:fss:cn-north-4:0a1b:function:default:hello:!prod");
/// assert_eq!(urn.version(), None);
/// assert_eq!(urn.alias(), Some("prod"));
/// ```
///
/// Every string is accepted, so that an invocation is never rejected because of its URN. If it has another form (?),
/// all accessors of parts return `None`.
#[derive(Clone, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct FunctionUrn(String);

impl FunctionUrn {
    /// Returns the URN as a string, unchanged.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the region, such as `cn-north-4`.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        Some(self.parts()?.region)
    }

    /// Returns the project that owns the function, or the tenant in the internal form.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        Some(self.parts()?.project)
    }

    /// Returns the function's package, also called its app or service. The platform's default is `default`.
    #[must_use]
    pub fn package(&self) -> Option<&str> {
        Some(self.parts()?.package)
    }

    /// Returns the function's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        Some(self.parts()?.name)
    }

    /// Returns the version, such as `latest`, or `None` if the URN has no version.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.parts()?
            .qualifier
            .filter(|qualifier| !qualifier.starts_with('!'))
    }

    /// Returns the alias without its `!`, or `None` if the URN has no alias.
    #[must_use]
    pub fn alias(&self) -> Option<&str> {
        self.parts()?.qualifier?.strip_prefix('!')
    }

    fn parts(&self) -> Option<UrnParts<'_>> {
        let mut fields = self.0.split(':');
        let product = fields.next()?;
        let (second, region, project) = (fields.next()?, fields.next()?, fields.next()?);
        if fields.next()? != "function" {
            return None;
        }
        let parts = if (product, second) == ("urn", "fss") {
            let (package, name) = (fields.next()?, fields.next()?);
            UrnParts {
                region,
                project,
                package,
                name,
                qualifier: fields.next(),
            }
        } else {
            // The fields before `function` are product, region, business and tenant.
            let (_, function) = fields.next()?.split_once('@')?;
            let (package, name) = function.split_once('@')?;
            UrnParts {
                region: second,
                project,
                package,
                name,
                qualifier: fields.next(),
            }
        };
        let complete = [parts.region, parts.project, parts.package, parts.name]
            .iter()
            .all(|part| !part.is_empty());
        (complete && fields.next().is_none()).then(|| UrnParts {
            qualifier: parts
                .qualifier
                .filter(|qualifier| !matches!(*qualifier, "" | "!")),
            ..parts
        })
    }
}

struct UrnParts<'a> {
    region: &'a str,
    project: &'a str,
    package: &'a str,
    name: &'a str,
    qualifier: Option<&'a str>,
}

impl fmt::Display for FunctionUrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for FunctionUrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsRef<str> for FunctionUrn {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for FunctionUrn {
    type Err = Infallible;

    /// Accepts every string, like [`From`].
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl From<String> for FunctionUrn {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for FunctionUrn {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::FunctionUrn;

    /// Region, project, package, name, version, alias.
    type ExpectedParts = [Option<&'static str>; 6];

    #[track_caller]
    fn check(text: &str, parts: ExpectedParts) {
        let urn = FunctionUrn::from(text);
        assert_eq!(
            [
                urn.region(),
                urn.project(),
                urn.package(),
                urn.name(),
                urn.version(),
                urn.alias()
            ],
            parts,
            "{text}"
        );
        assert_eq!((urn.as_str(), urn.as_ref()), (text, text));
        assert_eq!((urn.to_string().as_str(), text.parse()), (text, Ok(urn)));
    }

    #[test]
    fn parts_of_the_public_form() {
        let parts = |version, alias| {
            [
                Some("cn-north-4"),
                Some("0a1b"),
                Some("default"),
                Some("hello"),
                version,
                alias,
            ]
        };
        check(
            "urn:fss:cn-north-4:0a1b:function:default:hello",
            parts(None, None),
        );
        check(
            "urn:fss:cn-north-4:0a1b:function:default:hello:latest",
            parts(Some("latest"), None),
        );
        check(
            "urn:fss:cn-north-4:0a1b:function:default:hello:!prod",
            parts(None, Some("prod")),
        );
        check(
            "urn:fss:cn-north-4:0a1b:function:default:hello:",
            parts(None, None),
        );
        check(
            "urn:fss:cn-north-4:0a1b:function:default:hello:!",
            parts(None, None),
        );
    }

    #[test]
    fn parts_of_the_internal_form() {
        let parts = |version, alias| {
            [
                Some("cn"),
                Some("1111"),
                Some("test"),
                Some("hello"),
                version,
                alias,
            ]
        };
        check(
            "sn:cn:yrk:1111:function:0@test@hello:latest",
            parts(Some("latest"), None),
        );
        check("sn:cn:yrk:1111:function:0@test@hello", parts(None, None));
        check(
            "sn:cn:yrk:1111:function:0@test@hello:!prod",
            parts(None, Some("prod")),
        );
    }

    #[test]
    fn string_of_another_form_is_preserved_and_has_no_parts() {
        for text in [
            "",
            ":",
            "hello",
            "urn:fss:cn-north-4:0a1b:trigger:default:hello",
            "urn:fss:cn-north-4:0a1b:function:default",
            "urn:fss:cn-north-4:0a1b:function::hello",
            "urn:fss:cn-north-4:0a1b:function:default:hello:latest:more",
            "sn:cn:yrk:1111:function:hello:latest",
            "sn:cn:yrk:1111:function:0@hello:latest",
            "sn:cn:yrk::function:0@test@hello:latest",
        ] {
            check(text, [None; 6]);
        }
    }
}
