//! The INV cases.

use crate::cases::Case;
use crate::cases::CaseId::*;
use crate::cases::Fixture::SharedProcess;
use crate::cases::Mark::{Documented, Inferred, Unknown};

pub(super) const CASES: [Case; 8] = [
    Case {
        id: Inv01,
        mark: Documented,
        source: "2707",
        sentence: "responds to an invocation with status 200",
        tried: "The check posts the event from the documentation to `/extension/invoke`. If the extension does not respond \
                within 0.4 s, the check posts an invalid event on a second connection. If it responds to neither within 10 \
                s, the handler hangs or blocks the thread that serves all requests, and the cases on the same process are \
                skipped.",
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
        tried: "If the concurrency of a function is above 1, several invocations can be in flight. The check posts 64 events \
                at once, each on its own connection. The extension must respond to all of them with status 200, in parallel \
                or one after another; if it is still responding after 60 seconds, this is a warning. Then the check sends \
                half of an event, posts another event on a second connection, and sends the rest of the first. If the slow \
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
        tried: "The check posts two events on separate connections, then two on one connection. The extension may close the \
                connection after a response if the response says so, with `Connection: close` or HTTP/1.0; if it does not \
                say so, this is a warning. A second event without a response on an open connection is a failure, and so is a \
                response that is longer than its Content-Length.",
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
        tried: "The check posts bodies that are empty, not JSON, truncated, of the wrong type, or without a required field. \
                A response with another status is a warning, since the platform sends valid events; no response is a \
                failure. Then the check posts a valid event, to which the extension must respond with status 200.",
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
        id: Inv06,
        mark: Documented,
        source: "2707",
        sentence: "responds with a JSON object for this event",
        tried: "The check examines the responses to three events: the body should be a JSON object, and its traceId, if it \
                has one, that of the event; headers such as Content-Type should occur once. It is unknown whether the \
                platform reads the response, so a deviation is a warning.",
        remedy: "respond with the event's traceId and invokedFunctionUrn as a JSON object, and set each header once",
        fixture: SharedProcess,
        prevented_by: &[Inv01, Inv03],
    },
    Case {
        id: Inv07,
        mark: Unknown,
        source: "2707",
        sentence: "responds within 1 s, and to several events at once",
        tried: "The check measures how long the response to a single event takes, and the 64 responses of INV-02. It is \
                unknown whether a slow response delays the function, so a response that takes longer than 1 s is a warning. \
                If the 64 events take longer than 2 s, and as long as one after another or longer, this is a warning, too.",
        remedy: "respond to an event as soon as it is accepted, do slow work afterwards, handle each event in its own thread \
                 or task, and listen with a backlog of at least 64",
        fixture: SharedProcess,
        prevented_by: &[Inv01, Inv02],
    },
    Case {
        id: Inv08,
        mark: Inferred,
        source: "05_1184",
        sentence: "handles 1,000 events in one boot",
        tried: "The check posts 1,000 events, eight at a time, and two on each connection if INV-03 finds that the extension \
                keeps it open. The extension must respond to all of them with status 200. After 20 seconds the check stops.",
        remedy: "release what an event has used, such as connections and files; the output of the extension may say what ran \
                 out",
        fixture: SharedProcess,
        prevented_by: &[Inv01],
    },
];
