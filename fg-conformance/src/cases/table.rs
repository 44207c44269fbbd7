//! The table of all cases.
//!
//! A source from 2703 to 2713 is a page of the platform's API reference: `functiongraph_06_` followed by that number.

use super::Case;
use super::CaseId::{self, *};
use super::Fixture::{Files, FirstBoot, OwnBoot, SharedProcess};
use super::Mark::{Documented, Inferred, Unknown};

/// All cases, in the order of the report.
///
/// Style: `sentence` is a requirement without a full stop; `tried` consists of full sentences; `remedy` is an imperative in
/// lower case without a full stop.
pub(crate) const CASES: &[Case; CaseId::ALL.len()] = &[
    Case {
        id: Pkg01,
        mark: Documented,
        source: "2705",
        sentence: "the ZIP contains a folder named `extension`",
        tried: "The check looks for the folder at the top level of the ZIP.",
        remedy: "put the start script and the program into a folder named `extension` at the top level of the ZIP, \
                 or build the ZIP with `cargo fg package`",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg02,
        mark: Documented,
        source: "2705",
        sentence: "there is exactly one start script, named `extension….sh`",
        tried: "The check lists the files directly in the folder `extension`. Without a ZIP, it examines the \
                script name given for the extension.",
        remedy: "put one start script into the folder; its name starts with `extension`, ends with `.sh`, and \
                 consists of printable ASCII characters without `/`",
        fixture: Files,
        prevented_by: &[Pkg01],
    },
    Case {
        id: Pkg03,
        mark: Unknown,
        source: "2705",
        sentence: "the start script and the programs are executable",
        tried: "The check reads the mode bits that the ZIP stores for the start script and for every ELF program. \
                It is unknown whether the platform applies them; if it does, a file without the executable bit \
                cannot start.",
        remedy: "set mode 0755 before you create the ZIP (`chmod +x`), and use a ZIP tool that stores mode bits",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg04,
        mark: Inferred,
        source: "2705",
        sentence: "the start script has LF line endings",
        tried: "The check searches the start script for carriage returns. With CRLF line endings, the name of the \
                interpreter ends with a carriage return, and no such program exists.",
        remedy: "save the script with LF line endings (`dos2unix`; with Git, `*.sh eol=lf` in .gitattributes)",
        fixture: Files,
        prevented_by: &[Pkg02],
    },
    Case {
        id: Pkg05,
        mark: Inferred,
        source: "2705",
        sentence: "the first line of the start script is `#!` and a shell",
        tried: "The check reads the first line of the start script. `/bin/sh`, `/bin/bash` and `/usr/bin/env` \
                exist in every Linux image; any other absolute path is a warning.",
        remedy: "make `#!/bin/sh` the first line of the script, without a byte order mark before it",
        fixture: Files,
        prevented_by: &[Pkg02],
    },
    Case {
        id: Pkg06,
        mark: Inferred,
        source: "user guide",
        sentence: "the programs are built for x86-64",
        tried: "The check reads the header of every ELF program. A program for aarch64 is a warning, because it is \
                unknown whether the platform has such machines.",
        remedy: "build for x86_64-unknown-linux-musl, as `cargo fg package` does",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg07,
        mark: Unknown,
        source: "user guide",
        sentence: "the programs are static, or need glibc 2.17 or older",
        tried: "The check reads from every ELF program which loader and which version of glibc it needs. The \
                version that the platform has is unknown; nearly every Linux image has 2.17, so a program that \
                needs a newer one is a warning.",
        remedy: "link statically, as `cargo fg package` does, or build on Huawei Cloud EulerOS 2.0",
        fixture: Files,
        prevented_by: &[Pkg06],
    },
    Case {
        id: Pkg08,
        mark: Documented,
        source: "user guide",
        sentence: "the ZIP is at most 10 MB, the limit of a direct upload",
        tried: "The check compares the size of the ZIP with the limit. A larger ZIP is a warning, because it can \
                still be uploaded through object storage.",
        remedy: "strip the program and leave out files that it does not need, or upload the ZIP through object \
                 storage (OBS)",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg09,
        mark: Documented,
        source: "user guide",
        sentence: "the ZIP is at most 300 MB, the limit of object storage",
        tried: "The check compares the size of the ZIP with the limit.",
        remedy: "leave out files that the extension does not need, or split the ZIP into several dependencies",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg10,
        mark: Documented,
        source: "user guide",
        sentence: "the ZIP has at most 30,000 files",
        tried: "The check counts the files in the ZIP, without folders.",
        remedy: "leave out files that the extension does not need",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg11,
        mark: Documented,
        source: "user guide",
        sentence: "no file name in the ZIP ends with `~`",
        tried: "The check reads the names of all files in the ZIP.",
        remedy: "leave out the backup files of editors: `zip -x '*~'`",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg12,
        mark: Inferred,
        source: "user guide",
        sentence: "no path or link in the ZIP leads outside it",
        tried: "The check searches the ZIP for absolute paths, for paths that climb above the top level with `..`, \
                and for links with such a target.",
        remedy: "create the ZIP with paths relative to the folder that contains `extension`",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg13,
        mark: Inferred,
        source: "user guide",
        sentence: "each file is in the ZIP only once",
        tried: "The check reads the complete list of files; most ZIP tools show only the last of two files with \
                the same name.",
        remedy: "create a new ZIP instead of adding to an existing one",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Reg01,
        mark: Inferred,
        source: "2707",
        sentence: "registers within 15 s of starting",
        tried: "The emulator runs the start script and waits for the first request to `/extension/register`. It is \
                unknown how long the platform waits.",
        remedy: "POST to http://$EXTENSION_API_ADDR/extension/register before any slow work; if the extension \
                 exited first, its output may say why",
        fixture: FirstBoot,
        prevented_by: &[Pkg01, Pkg02, Pkg03, Pkg04, Pkg05, Pkg06, Pkg12],
    },
    Case {
        id: Reg02,
        mark: Documented,
        source: "2707",
        sentence: "registers with POST and both required headers",
        tried: "The check examines the method and the headers of the first registration.",
        remedy: "send a POST request with the headers FunctionGraph-Extension-Name and \
                 FunctionGraph-Extension-Address, each exactly once",
        fixture: FirstBoot,
        prevented_by: &[Reg01],
    },
    Case {
        id: Reg03,
        mark: Documented,
        source: "2707",
        sentence: "registers under the name of its start script",
        tried: "The check compares FunctionGraph-Extension-Name in the first registration with the name of the \
                start script.",
        remedy: "register with the complete file name of the start script, including `extension` and `.sh`",
        fixture: FirstBoot,
        prevented_by: &[Reg02],
    },
    Case {
        id: Reg04,
        mark: Documented,
        source: "2707",
        sentence: "registers an address from 127.0.0.1:8081 to 127.0.0.1:8090",
        tried: "The check examines FunctionGraph-Extension-Address in the first registration.",
        remedy: "listen on 127.0.0.1 and a port from 8081 to 8090, and register exactly this address, without a \
                 scheme",
        fixture: FirstBoot,
        prevented_by: &[Reg02],
    },
    Case {
        id: Reg05,
        mark: Inferred,
        source: "2707",
        sentence: "listens before it registers",
        tried: "When the registration arrives, and before the emulator responds to it, the check connects to the \
                registered address. Invocations can arrive as soon as the extension is registered.",
        remedy: "bind and listen first, then register",
        fixture: FirstBoot,
        prevented_by: &[Reg04],
    },
    Case {
        id: Reg06,
        mark: Inferred,
        source: "2707",
        sentence: "registers only once",
        tried: "The emulator accepts the first registration. The check counts all registrations until the process \
                exits.",
        remedy: "stop registering after the first response with status 200",
        fixture: FirstBoot,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Reg07,
        mark: Inferred,
        source: "2707",
        sentence: "retries the registration after status 503 and after a connection reset",
        tried: "The check boots the extension twice more. The emulator responds to the first registration with \
                status 503 in one boot, and resets its connection in the other. The extension must register again \
                within 8 seconds.",
        remedy: "retry with a growing pause for about 10 seconds",
        fixture: OwnBoot,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Reg08,
        mark: Inferred,
        source: "2707",
        sentence: "exits with a non-zero status when its registration is rejected",
        tried: "The check boots the extension once more, and the emulator rejects every registration with status \
                400. A rejected extension receives no invocations, so it should report the error and exit within 8 \
                seconds of its last registration.",
        remedy: "treat a 4xx status as final: log the response, and exit with a non-zero status",
        fixture: OwnBoot,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Inv01,
        mark: Documented,
        source: "2707",
        sentence: "responds to an invocation with status 200",
        tried: "The check posts the event from the documentation to `/extension/invoke`. If the extension does not \
                respond within 0.4 s, the check posts an invalid event on a second connection. If it responds to neither within \
                3 s, the handler blocks the thread that serves all requests, and the cases on the same process are skipped.",
        remedy: "respond to POST /extension/invoke with status 200, and do not block the thread that serves requests; the \
                 output of the extension may say what went wrong",
        fixture: SharedProcess,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Inv02,
        mark: Inferred,
        source: "user guide",
        sentence: "handles 64 invocations at once, and more while one arrives slowly",
        tried: "If the concurrency of a function is above 1, several invocations can be in flight. The check posts \
                64 events at once, each on its own connection. The extension must respond to all of them with \
                status 200 within 60 seconds, in parallel or one after another. Then the check sends half of an \
                event, posts another event on a second connection, and sends the rest of the first. If the slow \
                request blocks the other one, this is a warning.",
        remedy: "handle each connection in its own thread or task, and listen with a backlog of at least 64",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
    Case {
        id: Inv03,
        mark: Unknown,
        source: "2707",
        sentence: "accepts invocations on one connection and on separate connections",
        tried: "The check posts two events on separate connections, then two on one connection. The extension may \
                close the connection after a response if the response says so, with `Connection: close` or \
                HTTP/1.0.",
        remedy: "use HTTP/1.1 with Content-Length, and send `Connection: close` in the last response before you \
                 close a connection",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
    Case {
        id: Inv04,
        mark: Inferred,
        source: "2707",
        sentence: "rejects a malformed body with a 4xx status and keeps running",
        tried: "The check posts bodies that are empty, not JSON, truncated, of the wrong type, or without a \
                required field. A response with another status is a warning, since the platform sends valid events; no \
                response is a failure. Then the check posts a valid event, to which the extension must respond with status 200.",
        remedy: "validate the body before you use it, respond with status 400 if it is not a valid event, and keep \
                 serving",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
    Case {
        id: Inv05,
        mark: Inferred,
        source: "2707",
        sentence: "accepts an event with unknown fields",
        tried: "The check posts the event from the documentation with additional fields, because the platform may \
                add some.",
        remedy: "ignore unknown fields",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
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
        id: Tel01,
        mark: Documented,
        source: "2710",
        sentence: "subscribes to telemetry correctly, after it registers",
        tried: "The check examines the request to `/telemetry`: it must have a valid body, a URI from \
                http://127.0.0.1:8081 to http://127.0.0.1:8090, and known types, and there may be only one \
                subscription. Then the check invokes the function, and the extension must acknowledge the \
                telemetry of this invocation.",
        remedy: "listen on 127.0.0.1:8082, for example, and once the registration is accepted, POST {\"subscriber\": \
                 {\"protocol\": \"POST\", \"uri\": \"http://127.0.0.1:8082\"}, \"types\": [\"platform\"]} to /telemetry",
        fixture: SharedProcess,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Tel02,
        mark: Documented,
        source: "2711 to 2713",
        sentence: "accepts telemetry events as the documentation shows them",
        tried: "The check posts batches with the irregularities of the examples in the documentation: stray spaces \
                inside strings, trailing commas, and `platform.RuntimeDone` with a capital R. An extension \
                may reject trailing commas, which are not valid JSON and probably a mistake on the page.",
        remedy: "trim names, types and statuses, and respond with status 200",
        fixture: SharedProcess,
        prevented_by: &[Tel01],
    },
    Case {
        id: Tel03,
        mark: Inferred,
        source: "2711 to 2713",
        sentence: "accepts unknown telemetry events",
        tried: "The check posts batches with an unknown subtype, an unknown type, records of various shapes, and \
                elements that are not objects, then a valid event. Rejecting elements that are not objects is only \
                a warning.",
        remedy: "skip or store events that you do not know, and do not reject a batch because of them",
        fixture: SharedProcess,
        prevented_by: &[Tel01],
    },
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
        prevented_by: &[Inv01, End01],
    },
    Case {
        id: Bud01,
        mark: Inferred,
        source: "--budget",
        sentence: "starts within the time budget",
        tried: "The check boots the extension five more times. Each time is measured from the start of the script \
                to the registration; the median counts.",
        remedy: "measure a release build that is linked statically, and do less work before the registration",
        fixture: OwnBoot,
        prevented_by: &[Reg03, Reg04],
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
            "INV-02 INV-03 INV-04 INV-05 FRZ-01 END-02 BUD-02"
        );
        assert_eq!(blocked(CaseId::Tel01), "TEL-02 TEL-03");
        assert_eq!(blocked(CaseId::End01), "END-02");
        assert_eq!(
            blocked(CaseId::Reg03),
            "REG-06 REG-07 REG-08 INV-01 INV-02 INV-03 INV-04 INV-05 FRZ-01 TEL-01 TEL-02 TEL-03 END-01 END-02 BUD-01 BUD-02"
        );
        for harmless in [CaseId::Pkg13, CaseId::Reg05, CaseId::Inv04, CaseId::End02] {
            assert_eq!(blocked(harmless), "");
        }
    }
}
