//! The body of the response to an invocation.

use hyper::body::Bytes;
use serde::Serialize;

use crate::{Invocation, Registration};

/// Creates the bodies of responses to invocations.
///
/// A body contains the fields that the text of page 2707 names and those in its example (D). Most of it is the same for
/// all invocations, and is written once.
pub(super) struct InvokedBody {
    /// Everything before the trace ID.
    start: Vec<u8>,
}

/// What comes between the trace ID and the URN.
const MIDDLE: &[u8] = br#","invokedFunctionUrn":"#;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<&'a str>,
}

impl InvokedBody {
    pub(super) fn new(registration: &Registration) -> Self {
        let mut start = Vec::new();
        write(
            &mut start,
            &Function {
                function_name: registration.function_name.as_deref(),
                function_version: registration.function_version.as_deref(),
                handler: registration.handler.as_deref(),
            },
        );
        // Remove the closing brace, since more fields follow.
        start.pop();
        if start.len() > 1 {
            start.push(b',');
        }
        start.extend(br#""traceId":"#);
        Self { start }
    }

    /// Returns the body for an invocation.
    pub(super) fn of(&self, invocation: &Invocation) -> Bytes {
        let urn = invocation.invoked_function_urn.as_str();
        // Exact if neither string has escapes: four quotes and a brace.
        let strings = invocation.trace_id.len() + urn.len() + 5;
        let mut body = Vec::with_capacity(self.start.len() + MIDDLE.len() + strings);
        body.extend(&self.start);
        write(&mut body, &invocation.trace_id);
        body.extend(MIDDLE);
        write(&mut body, urn);
        body.push(b'}');
        body.into()
    }
}

fn write(body: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Serializing strings into memory cannot fail.
    let _ = serde_json::to_writer(body, value);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::InvokedBody;
    use crate::{Invocation, Registration};

    #[test]
    fn body_contains_the_known_fields() {
        let registration = |name: Option<&str>, handler: Option<&str>| Registration {
            function_name: name.map(str::to_owned),
            function_version: None,
            handler: handler.map(str::to_owned),
        };
        let invocation = Invocation::new("\"1\\\n", "a:b");
        for (registration, mut expected) in [
            (registration(None, None), json!({})),
            (
                registration(Some("f\""), None),
                json!({"functionName": "f\""}),
            ),
            (
                registration(Some("f"), Some("h")),
                json!({"functionName": "f", "handler": "h"}),
            ),
        ] {
            expected["traceId"] = "\"1\\\n".into();
            expected["invokedFunctionUrn"] = "a:b".into();
            let body = InvokedBody::new(&registration).of(&invocation);
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
        }
    }
}
