//! The END cases.

use crate::cases::Case;
use crate::cases::CaseId::*;
use crate::cases::Fixture::{OwnBoot, SharedProcess};
use crate::cases::Mark::{Inferred, Unknown};

pub(super) const CASES: [Case; 3] = [
    Case {
        id: End01,
        mark: Inferred,
        source: "05_1184",
        sentence: "exits with status 0 within 2 s of SIGTERM",
        tried: "The emulator sends SIGTERM, and SIGKILL after 5 seconds. An exit after more than 2 seconds is a \
                warning. It is unknown which signal the platform sends.",
        remedy: "handle SIGTERM: finish the invocations in flight, then exit with status 0; in a start script, \
                 `exec` the program so that it receives the signal",
        fixture: SharedProcess,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: End02,
        mark: Inferred,
        source: "05_1184",
        sentence: "finishes the invocations in flight before it exits",
        tried: "The check boots the extension once more, and sends half of an event, then SIGTERM, and 30 ms later the \
                rest of the event. The extension must respond with status 200. If the connection breaks more than \
                100 ms after SIGTERM, the check tries again, three times at most, because the machine may be busy.",
        remedy: "on SIGTERM, stop accepting connections, but give open ones at least 150 ms to complete their \
                 requests, and respond to these",
        fixture: OwnBoot,
        prevented_by: &[Reg09, Inv01, Frz01, End01],
    },
    Case {
        id: End03,
        mark: Unknown,
        source: "05_1184",
        sentence: "shuts down when only the start script's process receives SIGTERM",
        tried: "In another boot, the check sends SIGTERM to the process of the start script alone. If processes that it has \
                started are still running after 5 seconds, this is a warning: it is unknown whether the platform signals the \
                process or its whole group.",
        remedy: "`exec` the program in the start script, or forward the signal with `trap`",
        fixture: OwnBoot,
        prevented_by: &[Reg09, End01],
    },
];
