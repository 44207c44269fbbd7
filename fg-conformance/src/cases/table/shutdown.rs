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
        tried: "The emulator sends SIGTERM, and SIGKILL after 5 seconds. An exit after more than 2 seconds is a warning. So \
                is exit status 143, with which a JVM exits after an orderly shutdown, and a process that handles SIGTERM and \
                then raises it again, as uvicorn does. It is unknown which signal the platform sends.",
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
        tried: "In another boot, four clients post events, and another client sends half of one. The check stops the \
                processes for a moment, learns from /proc/net/tcp which requests they have received completely, continues \
                them, and sends SIGTERM. If at least half of these requests have no response, in each of several boots, this \
                is a failure; a lower share is a warning, and so is a status other than 200. 30 ms later the check sends the \
                rest of the other request; if the extension drops it, this is only a warning. The check repeats this until \
                four complete requests were in flight in total, and in three boots if one of them has no response; it boots \
                the extension four times at most.",
        remedy: "on SIGTERM, stop accepting connections, respond to each request that has been received, and give open \
                 connections at least 150 ms to complete theirs; then exit",
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
