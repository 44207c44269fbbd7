//! The RES cases.

use crate::cases::Case;
use crate::cases::CaseId::*;
use crate::cases::Fixture::{OwnBoot, SharedProcess};
use crate::cases::Mark::{Documented, Inferred};

pub(super) const CASES: [Case; 4] = [
    Case {
        id: Res01,
        mark: Inferred,
        source: "05_1184",
        sentence: "uses no CPU while it is idle",
        tried: "After the invocations, the check measures the CPU time of all processes of the extension while nothing \
                happens, in periods of half a second. If it exceeds 10 % of a core in all of four periods, this is a \
                warning. An extension whose telemetry feeds itself, which TEL-04 finds, is not idle, so the case is skipped.",
        remedy: "wait for events instead of polling, and use intervals of seconds for periodic work",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
    Case {
        id: Res02,
        mark: Inferred,
        source: "user guide",
        sentence: "does not grow with the number of events",
        tried: "During the events of INV-08, the check reads the memory, threads, file descriptors and sockets of all \
                processes of the extension. Threads, descriptors and sockets that grow steadily are a warning. If the memory \
                grows, the check posts up to 6,000 further events; if it still grows, by more than 0.7 KB per event, this is a \
                warning. The heap of a JavaScript runtime (Node.js, Deno, Bun) may \
                grow by 64 MB. The memory of a JVM or of .NET, whose heap grows without a leak, is not judged. An instance has \
                1,024 threads and as many file descriptors.",
        remedy: "bound each buffer and cache, and close or reuse what an event has opened",
        fixture: SharedProcess,
        prevented_by: &[Inv01, Inv08],
    },
    Case {
        id: Res03,
        mark: Documented,
        source: "user guide",
        sentence: "works if only /tmp is writable",
        tried: "The check boots the extension in a mount namespace in which all file systems are read-only, except /tmp and \
                those of the kernel. The extension must register, respond to an event, and exit as it does otherwise. A \
                message about a read-only file system on its standard error is a warning. An error that the extension \
                neither reports nor suffers from is not seen. Where this machine permits no mount namespace, the case is \
                skipped.",
        remedy: "write to /tmp; its size is limited to 512 MB",
        fixture: OwnBoot,
        prevented_by: &[Reg09, Inv01],
    },
    Case {
        id: Res04,
        mark: Inferred,
        source: "2707",
        sentence: "listens only on the addresses that it registers",
        tried: "After the invocations, the check lists the TCP ports on which processes of the extension listen. A port on all \
                interfaces is a warning, and so is a port that is neither registered nor subscribed: all processes of an \
                instance share the ports. A port on 127.0.0.1 that the function needs, such as that of an OTLP receiver, \
                is fine.",
        remedy: "bind to 127.0.0.1 instead of all interfaces, and close ports that the function does not need",
        fixture: SharedProcess,
        prevented_by: &[Reg03, Reg04],
    },
];
