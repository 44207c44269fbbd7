//! [`CaseId`] and [`Group`].
//!
//! The IDs are an enum so that a misspelled ID does not compile.

use std::fmt;

macro_rules! case_ids {
    ($($group:ident $prefix:literal $title:literal { $($id:ident = $text:literal,)+ })+) => {
        /// The ID of a case.
        ///
        /// Displayed as `REG-05`, for example, and ordered as in the report.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum CaseId {
            $($(#[doc = concat!("`", $text, "`")] $id,)+)+
        }

        /// A group of cases, whose IDs have the same prefix.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Group {
            $(#[doc = concat!("`", $prefix, "`")] $group,)+
        }

        impl CaseId {
            /// All IDs, in order.
            pub(crate) const ALL: &[Self] = &[$($(Self::$id,)+)+];

            /// Returns the ID as text, for example `REG-05`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$id => $text,)+)+
                }
            }

            /// Returns the group of the case.
            #[must_use]
            pub const fn group(self) -> Group {
                match self {
                    $($(Self::$id => Group::$group,)+)+
                }
            }
        }

        impl Group {
            /// Returns the prefix of the IDs, for example `REG`.
            pub(crate) const fn prefix(self) -> &'static str {
                match self {
                    $(Self::$group => $prefix,)+
                }
            }

            /// Returns the heading of the group in a report.
            pub(crate) const fn title(self) -> &'static str {
                match self {
                    $(Self::$group => $title,)+
                }
            }
        }
    };
}

case_ids! {
    Package "PKG" "Package" {
        Pkg01 = "PKG-01",
        Pkg02 = "PKG-02",
        Pkg03 = "PKG-03",
        Pkg04 = "PKG-04",
        Pkg05 = "PKG-05",
        Pkg06 = "PKG-06",
        Pkg07 = "PKG-07",
        Pkg08 = "PKG-08",
        Pkg09 = "PKG-09",
        Pkg10 = "PKG-10",
        Pkg11 = "PKG-11",
        Pkg12 = "PKG-12",
        Pkg13 = "PKG-13",
        Pkg14 = "PKG-14",
        Pkg15 = "PKG-15",
    }
    Registration "REG" "Registration" {
        Reg01 = "REG-01",
        Reg02 = "REG-02",
        Reg03 = "REG-03",
        Reg04 = "REG-04",
        Reg05 = "REG-05",
        Reg06 = "REG-06",
        Reg07 = "REG-07",
        Reg08 = "REG-08",
        Reg09 = "REG-09",
    }
    Invocation "INV" "Invocation" {
        Inv01 = "INV-01",
        Inv02 = "INV-02",
        Inv03 = "INV-03",
        Inv04 = "INV-04",
        Inv05 = "INV-05",
        Inv06 = "INV-06",
        Inv07 = "INV-07",
        Inv08 = "INV-08",
    }
    Freeze "FRZ" "Freeze" {
        Frz01 = "FRZ-01",
        Frz02 = "FRZ-02",
    }
    Telemetry "TEL" "Telemetry" {
        Tel01 = "TEL-01",
        Tel02 = "TEL-02",
        Tel03 = "TEL-03",
        Tel04 = "TEL-04",
    }
    Resources "RES" "Resources" {
        Res01 = "RES-01",
        Res02 = "RES-02",
        Res03 = "RES-03",
        Res04 = "RES-04",
    }
    Settings "SET" "Settings" {
        Set01 = "SET-01",
    }
    Shutdown "END" "Shutdown" {
        End01 = "END-01",
        End02 = "END-02",
        End03 = "END-03",
    }
    Budget "BUD" "Budget" {
        Bud01 = "BUD-01",
        Bud02 = "BUD-02",
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::CaseId;

    #[test]
    fn ids_are_unique_and_start_with_the_prefix_of_their_group() {
        let texts: BTreeSet<_> = CaseId::ALL.iter().map(|id| id.as_str()).collect();
        assert_eq!(texts.len(), CaseId::ALL.len());
        for id in CaseId::ALL {
            let prefix = id.group().prefix();
            let number = id.as_str().strip_prefix(prefix).unwrap();
            assert!(number.starts_with('-') && number.len() == 3, "{id}");
        }
        // The IDs of a group are adjacent, so that the report has one heading for each group.
        let mut groups: Vec<_> = CaseId::ALL.iter().map(|id| id.group()).collect();
        groups.dedup();
        assert_eq!(groups.iter().collect::<BTreeSet<_>>().len(), groups.len());
    }
}
