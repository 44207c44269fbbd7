//! The REG cases.

use crate::cases::Case;
use crate::cases::CaseId::*;
use crate::cases::Fixture::{FirstBoot, OwnBoot};
use crate::cases::Mark::{Documented, Inferred};

pub(super) const CASES: [Case; 9] = [
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
        prevented_by: &[Pkg01, Pkg02, Pkg04, Pkg05, Pkg06, Pkg12, Pkg14],
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
        tried: "When the registration arrives, and before the emulator responds to it, the check connects to the registered \
                address. Invocations can arrive as soon as the extension is registered. If it does not listen on this \
                address 5 seconds later either, the cases on the same process are skipped.",
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
        id: Reg09,
        mark: Inferred,
        source: "05_1184",
        sentence: "registers again in the next instance",
        tried: "The check boots the extension once more, without a fault. If it does not register again, all cases that need \
                another boot are skipped.",
        remedy: "do not keep state that prevents another start, such as a lock file, and set SO_REUSEADDR before you bind",
        fixture: OwnBoot,
        prevented_by: &[Reg03, Reg04],
    },
];
