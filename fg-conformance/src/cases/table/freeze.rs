//! The FRZ cases.

use crate::cases::Case;
use crate::cases::CaseId::*;
use crate::cases::Fixture::SharedProcess;
use crate::cases::Mark::Inferred;

pub(super) const CASES: [Case; 2] = [
    Case {
        id: Frz01,
        mark: Inferred,
        source: "05_1184",
        sentence: "handles the first invocation after a thaw",
        tried: "The check stops the process (SIGSTOP), posts an event, and continues the process (SIGCONT). The \
                extension must respond with status 200 to this event and to the next one.",
        remedy: "do not rely on timers or idle connections across a freeze, and do not count frozen time toward \
                 your own timeouts",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
    Case {
        id: Frz02,
        mark: Inferred,
        source: "05_1184",
        sentence: "handles the first invocation after a long freeze",
        tried: "The check stops the process for 6 seconds, longer than the idle timeouts of common servers, posts an event on \
                a new connection, and continues the process. The extension must respond with status 200 to this event and to \
                the next one.",
        remedy: "when a timer fires late, check whether the process was frozen before you close, exit or reject",
        fixture: SharedProcess,
        prevented_by: &[Frz01],
    },
];
