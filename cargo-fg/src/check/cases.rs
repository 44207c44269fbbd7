//! What a case is, and which of them are asked for.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::bail;

use super::table::CASES;

/// One thing that an extension has to do, or to be.
#[derive(Debug)]
pub(crate) struct Case {
    /// As in `REG-01`; what comes before the hyphen is its group.
    pub(crate) id: &'static str,
    /// How sure it is that the platform asks for it.
    pub(crate) mark: Mark,
    /// Where it comes from: a page of the documentation, for the most part.
    pub(crate) source: &'static str,
    /// What is asked for, as in `listens before it registers`.
    pub(crate) sentence: &'static str,
    /// How it is tried.
    pub(crate) tried: &'static str,
    /// What to do if it fails.
    pub(crate) remedy: &'static str,
}

/// How sure a fact about the platform is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mark {
    Documented,
    Inferred,
    Unknown,
}

impl Case {
    /// The letters before the hyphen.
    pub(crate) fn group(&self) -> &'static str {
        self.id.split('-').next().unwrap_or_default()
    }

    /// What the group is about.
    pub(crate) fn group_title(&self) -> &'static str {
        match self.group() {
            "PKG" => "Package",
            "REG" => "Registration",
            "INV" => "Invocation",
            "FRZ" => "Freeze",
            "TEL" => "Telemetry",
            "END" => "End",
            _ => "Budget",
        }
    }
}

impl Mark {
    /// What it means.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Documented => "documented: Huawei Cloud's documentation says so",
            Self::Inferred => {
                "inferred: it follows from what is documented, or from how such platforms work"
            }
            Self::Unknown => {
                "unknown: nobody outside the platform can tell, so this is the safe side"
            }
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Documented => "D",
            Self::Inferred => "I",
            Self::Unknown => "?",
        })
    }
}

/// Those that a name stands for: an ID, or the beginning of several, as `REG`.
pub(crate) fn find(name: &str) -> anyhow::Result<Vec<&'static Case>> {
    let wanted = name.to_ascii_uppercase();
    let found: Vec<_> = CASES
        .iter()
        .filter(|case| !wanted.is_empty() && case.id.starts_with(&wanted))
        .collect();
    if found.is_empty() {
        bail!("there is no case `{name}`; there are {}", overview());
    }
    Ok(found)
}

/// Those that the names stand for; all of them without any.
pub(crate) fn select(names: &[String]) -> anyhow::Result<BTreeSet<&'static str>> {
    if names.is_empty() {
        return Ok(CASES.iter().map(|case| case.id).collect());
    }
    let mut selected = BTreeSet::new();
    for name in names {
        selected.extend(find(name)?.into_iter().map(|case| case.id));
    }
    Ok(selected)
}

/// `PKG-01 to PKG-13, REG-01 to REG-08, …`
fn overview() -> String {
    let groups = CASES.chunk_by(|a, b| a.group() == b.group());
    let ranges = groups.map(|group| match group {
        [only] => only.id.to_owned(),
        [first, .., last] => format!("{} to {}", first.id, last.id),
        [] => String::new(),
    });
    ranges.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CASES, find, select};

    #[test]
    fn names_select() {
        let ids = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            select(&names).map(|ids| ids.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(
            ids(&["tel", "REG-01", "REG-01"]).unwrap(),
            ["REG-01", "TEL-01", "TEL-02", "TEL-03"]
        );
        assert_eq!(ids(&[]).unwrap().len(), CASES.len());
        for name in ["", "XYZ", "REG-1", "REG-011"] {
            let error = find(name).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!(
                    "there is no case `{name}`; there are PKG-01 to PKG-"
                )),
                "{error}"
            );
        }
    }

    #[test]
    fn ids_are_unique_and_groups_together() {
        let ids: BTreeSet<_> = CASES.iter().map(|case| case.id).collect();
        assert_eq!(ids.len(), CASES.len());
        let mut groups: Vec<_> = CASES.iter().map(super::Case::group).collect();
        groups.dedup();
        assert_eq!(groups.iter().collect::<BTreeSet<_>>().len(), groups.len());
    }
}
