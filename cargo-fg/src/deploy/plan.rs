//! What a deployment changes in the dependencies of a function.

use anyhow::bail;

use super::api::DependencyVersion;

/// How many dependencies a function may have (D user guide 01_2119).
const MAX_DEPENDENCIES: usize = 20;

/// The version to attach.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Version {
    /// It was uploaded before.
    Existing(String),
    /// It is uploaded when the plan is carried out.
    New,
}

/// The change of a function's list.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Plan {
    pub(super) version: Version,
    /// The list afterwards; `None` is the new version, which has no ID yet.
    after: Vec<Option<String>>,
    /// The entries that the version replaces.
    pub(super) replaced: Vec<String>,
    pub(super) is_unchanged: bool,
}

impl Plan {
    /// Plans to attach the version: it replaces other versions of the same dependency, `own`, where the first of them is, or is
    /// added to the end.
    ///
    /// # Errors
    ///
    /// Returns an error if the function would have too many dependencies.
    pub(super) fn new(
        current: &[String],
        own: &[DependencyVersion],
        version: Version,
    ) -> anyhow::Result<Self> {
        let new_id = match &version {
            Version::Existing(id) => Some(id.clone()),
            Version::New => None,
        };
        let is_own = |id: &String| own.iter().any(|it| it.id == *id) || Some(id) == new_id.as_ref();
        let place = current.iter().position(is_own);
        let mut after: Vec<_> = current
            .iter()
            .filter(|id| !is_own(id))
            .cloned()
            .map(Some)
            .collect();
        after.insert(place.unwrap_or(after.len()), new_id.clone());
        if after.len() > MAX_DEPENDENCIES {
            bail!(
                "the function has {} dependencies, and at most {MAX_DEPENDENCIES} are allowed; remove one in the console",
                current.len()
            );
        }
        let replaced = current
            .iter()
            .filter(|id| is_own(id) && Some(*id) != new_id.as_ref())
            .cloned()
            .collect();
        let is_unchanged = after
            .iter()
            .map(Option::as_ref)
            .eq(current.iter().map(Some));
        Ok(Self {
            version,
            after,
            replaced,
            is_unchanged,
        })
    }

    /// Returns the list afterwards, with this ID for the new version.
    pub(super) fn after(&self, new_id: &str) -> Vec<String> {
        let ids = self.after.iter();
        ids.map(|id| id.clone().unwrap_or_else(|| new_id.to_owned()))
            .collect()
    }

    /// Returns the lines that show the change: the entries that stay with `=`, those that are removed with `-`, and the version
    /// that is added with `+`.
    pub(super) fn lines(&self, describe: impl Fn(&str) -> String, version: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for id in &self.after {
            let is_version = match (id, &self.version) {
                (None, _) => true,
                (Some(id), Version::Existing(version)) => id == version,
                (Some(_), Version::New) => false,
            };
            match id {
                _ if is_version && !self.is_unchanged => {
                    let removed = self.replaced.iter();
                    lines.extend(removed.map(|id| format!("- {}", describe(id))));
                    lines.push(format!("+ {version}"));
                }
                Some(id) => lines.push(format!("= {}", describe(id))),
                None => lines.push(format!("+ {version}")),
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::{DependencyVersion, Plan, Version};

    fn list(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn plan(current: &[&str], own: &[&str], version: Version) -> Plan {
        let own: Vec<_> = own
            .iter()
            .map(|id| DependencyVersion {
                id: (*id).to_owned(),
                version: None,
                runtime: None,
                description: None,
            })
            .collect();
        Plan::new(&list(current), &own, version).unwrap()
    }

    fn lines(plan: &Plan) -> Vec<String> {
        plan.lines(str::to_uppercase, "the version")
    }

    #[test]
    fn a_version_is_added_or_replaces_others_of_its_dependency() {
        let added = plan(&["a", "b"], &["x1"], Version::New);
        assert_eq!(added.after("x2"), ["a", "b", "x2"]);
        assert_eq!(lines(&added), ["= A", "= B", "+ the version"]);

        let replaced = plan(&["a", "x1", "b", "x0"], &["x0", "x1"], Version::New);
        assert_eq!(replaced.after("x2"), ["a", "x2", "b"]);
        assert_eq!(replaced.replaced, ["x1", "x0"]);
        assert_eq!(
            lines(&replaced),
            ["= A", "- X1", "- X0", "+ the version", "= B"]
        );

        let existing = Version::Existing("x2".to_owned());
        let existing = plan(&["x1", "a"], &["x1", "x2"], existing);
        assert_eq!(existing.after(""), ["x2", "a"]);
        assert_eq!(lines(&existing), ["- X1", "+ the version", "= A"]);
    }

    #[test]
    fn an_attached_version_changes_nothing() {
        let version = Version::Existing("x2".to_owned());
        let unchanged = plan(&["a", "x2"], &["x1", "x2"], version.clone());
        assert!(unchanged.is_unchanged);
        assert_eq!(lines(&unchanged), ["= A", "= X2"]);
        // An older version beside it is removed.
        let both = plan(&["x2", "x1"], &["x1", "x2"], version);
        assert!(!both.is_unchanged);
        assert_eq!(both.after(""), ["x2"]);
    }

    #[test]
    fn a_function_has_at_most_twenty_dependencies() {
        let ids: Vec<_> = (0..20).map(|it| it.to_string()).collect();
        assert!(Plan::new(&ids[..19], &[], Version::New).is_ok());
        assert!(Plan::new(&ids, &[], Version::New).is_err());
        let own = plan(&["0"], &["0"], Version::New);
        assert_eq!(own.after("x").len(), 1);
    }
}
