//! The BUD cases.

use crate::cases::Case;
use crate::cases::CaseId::*;
use crate::cases::Fixture::{OwnBoot, SharedProcess};
use crate::cases::Mark::Inferred;

pub(super) const CASES: [Case; 2] = [
    Case {
        id: Bud01,
        mark: Inferred,
        source: "--budget",
        sentence: "starts within the time budget",
        tried: "The check boots the extension five more times. Each time is measured from the start of the script \
                to the registration; the median counts.",
        remedy: "measure a release build that is linked statically, and do less work before the registration",
        fixture: OwnBoot,
        prevented_by: &[Reg09],
    },
    Case {
        id: Bud02,
        mark: Inferred,
        source: "--budget",
        sentence: "stays within the memory budget",
        tried: "After the 64 concurrent invocations of INV-02, the check reads the peak resident memory of the \
                processes of the extension (VmHWM in /proc).",
        remedy: "measure a release build, and buffer less",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
];
