//! All cases. The sources are pages of the documentation: a number from 2703 to 2713 is `functiongraph_06_` and the
//! number, of the API reference.

use super::Case;
use super::CaseId::{self, *};
use super::Fixture::{Files, FirstBoot, OwnBoot, SharedProcess};
use super::Mark::{Documented, Inferred, Unknown};

/// All cases, in the order of the report.
pub(crate) const CASES: &[Case; CaseId::ALL.len()] = &[
    Case {
        id: Pkg01,
        mark: Documented,
        source: "2705",
        sentence: "the ZIP has a folder `extension`",
        tried: "The ZIP's list of files is read.",
        remedy: "put the start script and the program into a folder `extension` at the top of the ZIP, or let \
                 `cargo fg package` make it",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg02,
        mark: Documented,
        source: "2705",
        sentence: "one start script, named `extension….sh`",
        tried: "The files directly in the folder `extension` are listed; without a ZIP, the name is looked at that \
                the extension was given.",
        remedy: "name the start script so that it begins with `extension` and ends in `.sh`, with nothing but printable \
                 ASCII and no `/` between, and have one of them in a ZIP",
        fixture: Files,
        prevented_by: &[Pkg01],
    },
    Case {
        id: Pkg03,
        mark: Unknown,
        source: "2705",
        sentence: "the script and the programs are executable",
        tried: "The mode bits in the ZIP are read, of the start script and of every ELF program. Whether the platform \
                honours them is unknown; if it does, what is not executable does not start.",
        remedy: "set mode 0755 before you zip: `chmod +x`, or a ZIP program that keeps mode bits",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg04,
        mark: Inferred,
        source: "2705",
        sentence: "the script has line feeds only",
        tried: "The start script is searched for carriage returns: with them the interpreter's name ends in one, and there \
                is no such program.",
        remedy: "save the script with LF line ends (`dos2unix`; in git, `*.sh eol=lf` in .gitattributes)",
        fixture: Files,
        prevented_by: &[Pkg02],
    },
    Case {
        id: Pkg05,
        mark: Inferred,
        source: "2705",
        sentence: "the script begins with `#!` and a shell",
        tried: "The first line of the start script is read. `/bin/sh`, `/bin/bash` and `/usr/bin/env` are in every image; \
                about others there is a warning.",
        remedy: "begin the script with the line `#!/bin/sh`, with nothing before it, no byte order mark either",
        fixture: Files,
        prevented_by: &[Pkg02],
    },
    Case {
        id: Pkg06,
        mark: Inferred,
        source: "user guide",
        sentence: "the programs are for x86-64",
        tried: "The header of every ELF program is read. About aarch64 there is a warning: whether the platform has such \
                machines is unknown.",
        remedy: "build for x86_64-unknown-linux-musl, as `cargo fg package` does",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg07,
        mark: Unknown,
        source: "user guide",
        sentence: "the programs are static, or need an old glibc",
        tried: "Every ELF program is asked for its loader and for the newest version of glibc that it needs. Which one the \
                image has is unknown: up to 2.17 nearly all have it, beyond there is a warning.",
        remedy: "link statically, as `cargo fg package` does, or build on Huawei Cloud EulerOS 2.0",
        fixture: Files,
        prevented_by: &[Pkg06],
    },
    Case {
        id: Pkg08,
        mark: Documented,
        source: "user guide",
        sentence: "the ZIP is at most 10 MB, for an upload",
        tried: "The ZIP's size is looked at. A larger one can still come through object storage, so this is a warning.",
        remedy: "strip the program and leave out what is not needed, or upload it through object storage (OBS)",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg09,
        mark: Documented,
        source: "user guide",
        sentence: "the ZIP is at most 300 MB",
        tried: "The ZIP's size is looked at: 300 MB is the most through object storage too.",
        remedy: "leave out what is not needed, or split it into several dependencies",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg10,
        mark: Documented,
        source: "user guide",
        sentence: "the ZIP has at most 30,000 files",
        tried: "The entries of the ZIP's list of files are counted, without folders.",
        remedy: "leave out what is not needed",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg11,
        mark: Documented,
        source: "user guide",
        sentence: "no file name ends in `~`",
        tried: "The names in the ZIP are looked at.",
        remedy: "leave out backup files of editors: `zip -x '*~'`",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg12,
        mark: Inferred,
        source: "user guide",
        sentence: "no path leads outside",
        tried: "The names in the ZIP are looked at: none is absolute or climbs above the top with `..`.",
        remedy: "zip with paths relative to the folder that holds `extension`",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg13,
        mark: Inferred,
        source: "user guide",
        sentence: "no two files have one name",
        tried: "The whole list of files is read, since most ZIP programs show the last of two only.",
        remedy: "make the ZIP anew, instead of adding to one",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Reg01,
        mark: Inferred,
        source: "2707",
        sentence: "registers within 15 s of its start",
        tried: "The extension is started by its script, and the first call of `/extension/register` is waited for. \
                How long the platform waits is unknown.",
        remedy: "call http://$EXTENSION_API_ADDR/extension/register before anything slow; what it printed may say why it \
                 ended first",
        fixture: FirstBoot,
        prevented_by: &[Pkg01, Pkg02, Pkg03, Pkg04, Pkg05, Pkg06, Pkg12],
    },
    Case {
        id: Reg02,
        mark: Documented,
        source: "2707",
        sentence: "registers by POST, with both headers",
        tried: "The first registration is looked at.",
        remedy: "send POST with FunctionGraph-Extension-Name and FunctionGraph-Extension-Address, each once",
        fixture: FirstBoot,
        prevented_by: &[Reg01],
    },
    Case {
        id: Reg03,
        mark: Documented,
        source: "2707",
        sentence: "its name is that of the script",
        tried: "FunctionGraph-Extension-Name of the first registration is compared with the script that was booted.",
        remedy: "register with the complete file name of the start script, `extension` and `.sh` included",
        fixture: FirstBoot,
        prevented_by: &[Reg02],
    },
    Case {
        id: Reg04,
        mark: Documented,
        source: "2707",
        sentence: "its address is 127.0.0.1:8081 to 127.0.0.1:8090",
        tried: "FunctionGraph-Extension-Address of the first registration is looked at.",
        remedy: "listen on 127.0.0.1 and a port from 8081 to 8090, and register exactly that, without a scheme",
        fixture: FirstBoot,
        prevented_by: &[Reg02],
    },
    Case {
        id: Reg05,
        mark: Inferred,
        source: "2707",
        sentence: "listens before it registers",
        tried: "When the registration has arrived, and before it is answered, its address is connected to: events can come \
                as soon as it is registered.",
        remedy: "bind and listen first, and register then",
        fixture: FirstBoot,
        prevented_by: &[Reg04],
    },
    Case {
        id: Reg06,
        mark: Inferred,
        source: "2707",
        sentence: "registers once",
        tried: "The registrations of a whole run are counted, of which the first is accepted.",
        remedy: "stop calling once the answer is 200",
        fixture: FirstBoot,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Reg07,
        mark: Inferred,
        source: "2707",
        sentence: "tries again after a 503 and a broken connection",
        tried: "In two further boots the first registration is answered with 503, and with a connection reset; \
                the next one must come within 8 seconds.",
        remedy: "try again, with a pause that grows, for 10 seconds or so",
        fixture: OwnBoot,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Reg08,
        mark: Inferred,
        source: "2707",
        sentence: "ends with a non-zero status when refused",
        tried: "In a further boot every registration is refused with a 4xx. What is refused gets no events, so it should say so and \
                end, within 8 seconds of its last call.",
        remedy: "take a 4xx for final: print what the answer says and exit with a status that is not 0",
        fixture: OwnBoot,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Inv01,
        mark: Documented,
        source: "2707",
        sentence: "answers an invocation with 200",
        tried: "The documented event is posted to `/extension/invoke`.",
        remedy: "answer POST /extension/invoke with 200; what the extension printed may say what went wrong",
        fixture: SharedProcess,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Inv02,
        mark: Inferred,
        source: "user guide",
        sentence: "answers 64 at once, while another comes in",
        tried: "64 events are posted at once, on a connection each, and must be answered with 200 in 60 seconds, one after \
                another if need be. Then half of an event is sent, a whole one beside it, and the other half: if the one \
                holds up the other, this is a warning. A function with a concurrency above 1 has several events in flight.",
        remedy: "serve each connection on a thread or task of its own, and listen with a backlog of 64 or more",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
    Case {
        id: Inv03,
        mark: Unknown,
        source: "2707",
        sentence: "takes one connection for all, or one each",
        tried: "Two events go over one connection, and two over one each. To close is fine, if the answer says so: \
                `Connection: close`, or HTTP/1.0.",
        remedy: "speak HTTP/1.1 with Content-Length, and say `Connection: close` before you close",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
    Case {
        id: Inv04,
        mark: Inferred,
        source: "2707",
        sentence: "answers what is malformed with 4xx, and lives",
        tried: "Bodies are posted that are empty, no JSON, cut off, of the wrong types, or without a field; then an event as it \
                should be.",
        remedy: "check the body before you use it, answer 400 if it is no event, and go on serving",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
    Case {
        id: Inv05,
        mark: Inferred,
        source: "2707",
        sentence: "takes an event with unknown fields",
        tried: "The documented event is posted with further fields, since a platform may add some.",
        remedy: "ignore fields that you do not know",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
    Case {
        id: Frz01,
        mark: Inferred,
        source: "05_1184",
        sentence: "serves the first event after a thaw",
        tried: "The process is stopped (SIGSTOP), an event posted, and the process continued: it must be answered, and so must \
                another.",
        remedy: "trust no timer and no idle connection across a freeze; the time that passed is no timeout of yours",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
    Case {
        id: Tel01,
        mark: Documented,
        source: "2710",
        sentence: "subscribes as it should, after it registered",
        tried: "The call of `/telemetry` is looked at: the body, a URI within http://127.0.0.1:8081 and :8090, known types, and one \
                subscription; then the function is invoked, and what is told of that must be taken.",
        remedy: "POST {\"subscriber\": {\"protocol\": \"POST\", \"uri\": \"http://127.0.0.1:8082\"}, \"types\": [\"platform\"]} once the \
                 registration is answered with 200, while you listen there",
        fixture: SharedProcess,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Tel02,
        mark: Documented,
        source: "2711 to 2713",
        sentence: "takes events as the pages show them",
        tried: "Batches are posted with what the pages' examples have in them: stray spaces inside strings, trailing commas, \
                `platform.RuntimeDone` with a capital R.",
        remedy: "trim names, types and statuses, be liberal about trailing commas, and answer 200",
        fixture: SharedProcess,
        prevented_by: &[Tel01],
    },
    Case {
        id: Tel03,
        mark: Inferred,
        source: "2711 to 2713",
        sentence: "takes events that it does not know",
        tried: "A batch is posted with an unknown subtype, an unknown type, records of other shapes, and elements that are no \
                objects; then an event as it should be.",
        remedy: "skip or keep what you do not know, and never refuse a batch for it",
        fixture: SharedProcess,
        prevented_by: &[Tel01],
    },
    Case {
        id: End01,
        mark: Inferred,
        source: "05_1184",
        sentence: "ends with status 0 within 2 s of SIGTERM",
        tried: "SIGTERM is sent, and SIGKILL after 5 seconds. The platform's signal is unknown. More than 2 seconds is a warning.",
        remedy: "handle SIGTERM: finish what is in flight, and exit with status 0; in a start script, `exec` the program so that \
                 the signal reaches it",
        fixture: SharedProcess,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: End02,
        mark: Inferred,
        source: "05_1184",
        sentence: "finishes what is in flight before it ends",
        tried: "In a further boot half of an event is sent, then SIGTERM, then the other half: it must be answered with 200.",
        remedy: "on SIGTERM stop accepting, but serve the connections that are open until their requests are answered",
        fixture: OwnBoot,
        prevented_by: &[Inv01, End01],
    },
    Case {
        id: Bud01,
        mark: Inferred,
        source: "--budget",
        sentence: "starts within the budget",
        tried: "Five further boots are timed, from the start of the script to the registration; the median counts.",
        remedy: "measure a release build, linked statically; do less before the registration",
        fixture: OwnBoot,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Bud02,
        mark: Inferred,
        source: "--budget",
        sentence: "stays within the budget of memory",
        tried: "After the 64 invocations at once, the most that its processes had resident is read (VmHWM in /proc).",
        remedy: "measure a release build; buffer less",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
];

/// Each case is in its place, so that [`CaseId::case`] finds it, and is prevented by earlier ones only, so that there are no
/// cycles.
const _: () = {
    let mut i = 0;
    while i < CASES.len() {
        assert!(
            CASES[i].id as usize == i,
            "the table is in the order of `CaseId`"
        );
        let culprits = CASES[i].prevented_by;
        let mut j = 0;
        while j < culprits.len() {
            assert!(
                (culprits[j] as usize) < i,
                "a case is prevented by earlier ones"
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
    fn failures_prevent_through_cases_in_between() {
        assert!(CaseId::Reg03.prevents(CaseId::Inv05)); // through INV-01
        assert!(!CaseId::Reg03.prevents(CaseId::Reg04));
    }

    #[test]
    fn no_case_prevents_itself() {
        for id in CaseId::ALL {
            assert!(!id.prevents(*id), "{id}");
        }
    }

    #[test]
    fn process_cases_need_a_package_that_starts() {
        for case in CASES {
            let needs_script = CaseId::Pkg02.prevents(case.id) && case.fixture != Fixture::Files;
            assert_eq!(needs_script, case.needs_process(), "{}", case.id);
        }
    }

    #[test]
    fn failures_prevent_what_depends_on_them() {
        let prevented = |culprit: CaseId| {
            let ids = CaseId::ALL.iter().filter(|id| culprit.prevents(**id));
            ids.map(|id| id.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            prevented(CaseId::Inv01),
            "INV-02 INV-03 INV-04 INV-05 FRZ-01 END-02 BUD-02"
        );
        assert_eq!(prevented(CaseId::Tel01), "TEL-02 TEL-03");
        assert_eq!(prevented(CaseId::End01), "END-02");
        assert_eq!(
            prevented(CaseId::Reg03),
            "REG-06 REG-07 REG-08 INV-01 INV-02 INV-03 INV-04 INV-05 FRZ-01 TEL-01 TEL-02 TEL-03 END-01 END-02 BUD-01 BUD-02"
        );
        for harmless in [CaseId::Pkg13, CaseId::Reg05, CaseId::Inv04, CaseId::End02] {
            assert_eq!(prevented(harmless), "");
        }
    }
}
