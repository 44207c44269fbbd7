//! The table of all cases.
//!
//! A source from 2703 to 2713 is a page of the platform's API reference: `functiongraph_06_` followed by that number.

mod budget;
mod freeze;
mod invocation;
mod package;
mod registration;
mod resources;
mod settings;
mod shutdown;
mod telemetry;

use super::Case;
use super::CaseId;

/// All cases, in the order of the report.
///
/// Style: `sentence` is a requirement without a full stop; `tried` consists of full sentences; `remedy` is an imperative in
/// lower case without a full stop.
pub(crate) const CASES: &[Case; CaseId::ALL.len()] = &{
    const GROUPS: [&[Case]; 9] = [
        &package::CASES,
        &registration::CASES,
        &invocation::CASES,
        &freeze::CASES,
        &telemetry::CASES,
        &resources::CASES,
        &settings::CASES,
        &shutdown::CASES,
        &budget::CASES,
    ];
    let mut cases = [package::CASES[0]; CaseId::ALL.len()];
    let (mut n, mut group) = (0, 0);
    while group < GROUPS.len() {
        let mut i = 0;
        while i < GROUPS[group].len() {
            cases[n] = GROUPS[group][i];
            n += 1;
            i += 1;
        }
        group += 1;
    }
    assert!(n == CaseId::ALL.len(), "each ID has a row");
    cases
};

/// Asserts that the rows are in the order of [`CaseId`], because [`CaseId::case`] indexes the table, and that each case is
/// blocked by earlier cases only, which rules out cycles.
const _: () = {
    let mut i = 0;
    while i < CASES.len() {
        assert!(
            CASES[i].id as usize == i,
            "the table must be in the order of `CaseId`"
        );
        let blockers = CASES[i].prevented_by;
        let mut j = 0;
        while j < blockers.len() {
            assert!(
                (blockers[j] as usize) < i,
                "a case can only be blocked by earlier cases"
            );
            j += 1;
        }
        i += 1;
    }
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::CASES;
    use crate::CaseId;
    use crate::cases::Fixture;

    #[test]
    fn each_id_is_listed_once() {
        let ids: BTreeSet<_> = CASES.iter().map(|case| case.id).collect();
        assert_eq!(ids, CaseId::ALL.iter().copied().collect());
        assert_eq!(ids.len(), CASES.len());
        assert!(CaseId::ALL.iter().all(|id| id.case().id == *id));
    }

    #[test]
    fn a_failure_blocks_through_cases_in_between() {
        assert!(CaseId::Reg03.blocks(CaseId::Inv05)); // through INV-01
        assert!(!CaseId::Reg03.blocks(CaseId::Reg04));
    }

    #[test]
    fn no_case_blocks_itself() {
        for id in CaseId::ALL {
            assert!(!id.blocks(*id), "{id}");
        }
    }

    #[test]
    fn cases_with_a_process_need_a_bootable_package() {
        for case in CASES {
            let needs_script = CaseId::Pkg02.blocks(case.id) && case.fixture != Fixture::Files;
            assert_eq!(needs_script, case.needs_process(), "{}", case.id);
        }
    }

    #[test]
    fn a_failure_blocks_the_cases_that_depend_on_it() {
        let blocked = |blocker: CaseId| {
            let ids = CaseId::ALL.iter().filter(|id| blocker.blocks(**id));
            ids.map(|id| id.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            blocked(CaseId::Inv01),
            "INV-02 INV-03 INV-04 INV-05 INV-06 INV-07 INV-08 FRZ-01 FRZ-02 RES-01 RES-02 RES-03 SET-01 END-02 BUD-02"
        );
        assert_eq!(blocked(CaseId::Tel01), "TEL-02 TEL-03 TEL-04");
        assert_eq!(blocked(CaseId::End01), "END-02 END-03");
        assert_eq!(
            blocked(CaseId::Reg03),
            "REG-06 REG-07 REG-08 REG-09 INV-01 INV-02 INV-03 INV-04 INV-05 INV-06 INV-07 INV-08 FRZ-01 FRZ-02 \
             TEL-01 TEL-02 TEL-03 TEL-04 RES-01 RES-02 RES-03 RES-04 SET-01 END-01 END-02 END-03 BUD-01 BUD-02"
        );
        for harmless in [CaseId::Pkg13, CaseId::Reg05, CaseId::Inv04, CaseId::End02] {
            assert_eq!(blocked(harmless), "");
        }
    }
}
