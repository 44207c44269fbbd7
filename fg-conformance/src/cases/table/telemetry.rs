//! The TEL cases.

use crate::cases::Case;
use crate::cases::CaseId::*;
use crate::cases::Fixture::SharedProcess;
use crate::cases::Mark::{Documented, Inferred, Unknown};

pub(super) const CASES: [Case; 4] = [
    Case {
        id: Tel01,
        mark: Documented,
        source: "2712",
        sentence: "subscribes to telemetry correctly, after it registers",
        tried: "The check examines the request to `/telemetry`: it must have a valid body, a URI from http://127.0.0.1:8081 \
                to http://127.0.0.1:8090, and known types, and there may be only one subscription. It should come within 2 s \
                of the registration; the check waits for it for 10 s. Then the check invokes the function, and the extension \
                must acknowledge the telemetry of this invocation.",
        remedy: "once the registration is accepted, POST {\"subscriber\": {\"protocol\": \"POST\", \"uri\": \
                 \"http://127.0.0.1:8082\"}, \"types\": [\"platform\"]} once to http://$EXTENSION_API_ADDR/telemetry, listen \
                 on that port before you do so, and respond to each batch with status 200",
        fixture: SharedProcess,
        prevented_by: &[Reg03, Reg04],
    },
    Case {
        id: Tel02,
        mark: Documented,
        source: "2713",
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
        source: "2713",
        sentence: "accepts unknown telemetry events",
        tried: "The check posts batches with an unknown subtype, an unknown type, records of various shapes, and \
                elements that are not objects, then a valid event. Rejecting elements that are not objects is only \
                a warning.",
        remedy: "skip or store events that you do not know, and do not reject a batch because of them",
        fixture: SharedProcess,
        prevented_by: &[Tel01],
    },
    Case {
        id: Tel04,
        mark: Unknown,
        source: "2710",
        sentence: "does not produce telemetry by handling telemetry",
        tried: "After all telemetry is delivered, the check counts the batches of the next second, in which it invokes \
                nothing. If an extension subscribes to the type `extension` and prints a line for each batch, each line \
                becomes a new batch. It is unknown whether the platform delivers the output of an extension to the extension \
                itself.",
        remedy: "do not print while you handle telemetry, or do not subscribe to the type `extension`",
        fixture: SharedProcess,
        prevented_by: &[Tel01],
    },
];
