//! [`Selection`]: the cases to run.

use std::collections::BTreeSet;

use super::table::CASES;
use super::{Case, CaseId, Group};
use crate::Error;

/// A set of cases to run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selection(BTreeSet<CaseId>);

impl Selection {
    /// Selects all cases.
    #[must_use]
    pub fn all() -> Self {
        CaseId::ALL.iter().copied().collect()
    }

    /// Selects cases by name: an ID such as `REG-05`, or a prefix of several IDs, such as `REG`. Names are case-insensitive.
    ///
    /// ```
    /// use fg_conformance::{CaseId, Selection};
    ///
    /// let selection = Selection::parse(["tel", "REG-01"])?;
    /// assert!(selection.contains(CaseId::Tel03) && !selection.contains(CaseId::Reg02));
    /// # Ok::<(), fg_conformance::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a name matches no case.
    pub fn parse<I>(names: I) -> Result<Self, Error>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut selected = BTreeSet::new();
        for name in names {
            let name = name.as_ref();
            let wanted = name.to_ascii_uppercase();
            let is_wanted = |id: &CaseId| !wanted.is_empty() && id.as_str().starts_with(&wanted);
            let mut found = CaseId::ALL.iter().copied().filter(is_wanted).peekable();
            if found.peek().is_none() {
                let overview = overview();
                return Err(Error::new(format!(
                    "unknown case `{name}`; the cases are {overview}"
                )));
            }
            selected.extend(found);
        }
        Ok(Self(selected))
    }

    /// Removes the cases of a group.
    pub(crate) fn without(mut self, group: Group) -> Self {
        self.0.retain(|id| id.group() != group);
        self
    }

    /// Returns whether the case is selected.
    #[must_use]
    pub fn contains(&self, id: CaseId) -> bool {
        self.0.contains(&id)
    }

    /// Iterates over the selected cases, in the order of the report.
    pub fn cases(&self) -> impl Iterator<Item = &'static Case> {
        self.0.iter().map(|id| id.case())
    }
}

impl FromIterator<CaseId> for Selection {
    fn from_iter<I: IntoIterator<Item = CaseId>>(ids: I) -> Self {
        Self(ids.into_iter().collect())
    }
}

/// Returns the range of IDs of each group: `PKG-01 to PKG-15, REG-01 to REG-09, …`.
fn overview() -> String {
    let groups = CASES.chunk_by(|a, b| a.id.group() == b.id.group());
    let ranges = groups.map(|group| match group {
        [only] => only.id.to_string(),
        [first, .., last] => format!("{} to {}", first.id, last.id),
        [] => String::new(),
    });
    ranges.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::Selection;
    use crate::cases::CASES;
    use crate::{CaseId, Group};

    #[test]
    fn names_and_prefixes_select_cases() {
        let selected = Selection::parse(["tel", "REG-01", "REG-01"]).unwrap();
        let ids: Vec<_> = selected.cases().map(|case| case.id).collect();
        assert_eq!(
            ids,
            [
                CaseId::Reg01,
                CaseId::Tel01,
                CaseId::Tel02,
                CaseId::Tel03,
                CaseId::Tel04
            ]
        );
        assert_eq!(
            selected.without(Group::Telemetry),
            Selection::from_iter([CaseId::Reg01])
        );
        assert_eq!(Selection::all().cases().count(), CASES.len());
    }

    #[test]
    fn unknown_names_are_errors() {
        for name in ["", "XYZ", "REG-1", "REG-011"] {
            let error = Selection::parse([name]).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!(
                    "unknown case `{name}`; the cases are PKG-01 to PKG-"
                )),
                "{error}"
            );
        }
    }
}
