//! Parses the log lines of functions.

use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::translate::timestamps::zoned_time;

/// A log line of a function, in one of the formats that were observed (D):
///
/// - `<time>Z Start invoke request '<id>', version: latest`
/// - `<time>Z Finish invoke request '<id>', duration: 2.049ms, …`
/// - `<time>Z <id> INFO <text>`
///
/// Any other text is a line without a time and without a certain ID.
#[derive(Debug, PartialEq)]
pub(super) struct ParsedLine<'a> {
    pub(super) time: Option<SystemTime>,
    /// The ID of an invocation, or the token in its place.
    pub(super) id: Option<RequestId<'a>>,
    /// What follows a time and a certain ID, or else the whole line. A line of the platform itself has no message.
    pub(super) message: &'a str,
}

/// What stands in the place of an invocation's ID.
#[derive(Debug, PartialEq)]
pub(super) enum RequestId<'a> {
    /// An ID, judging by the format of the line, even if the invocation is unknown.
    Certain(&'a str),
    /// An ID only if the invocation is known.
    Possible(&'a str),
}

impl<'a> ParsedLine<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let text = text.trim_start();
        let (first, rest) = split_token(text);
        let time = zoned_time(first);
        let rest = if time.is_some() { rest } else { text };
        if let Some(id) = quoted_id(rest) {
            return Self {
                time,
                id: Some(id),
                message: "",
            };
        }
        let (id, message) = leading_id(rest, time.is_some());
        let is_certain = matches!(id, Some(RequestId::Certain(_)));
        Self {
            time,
            id,
            message: if is_certain { message } else { text },
        }
    }

    /// Returns whether the message follows the platform's prefix.
    pub(super) fn is_after_prefix(&self) -> bool {
        matches!(self.id, Some(RequestId::Certain(_)))
    }
}

/// Returns all UUIDs in a text, unchanged.
pub(super) fn uuids(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_ascii_alphanumeric() && char != '-')
        .filter(|token| is_uuid(token))
}

/// Returns whether the token is a UUID, with or without dashes.
pub(super) fn is_uuid(token: &str) -> bool {
    matches!(token.len(), 32 | 36) && Uuid::try_parse(token).is_ok()
}

/// Returns the ID and the duration of the invocation that has finished, if the platform wrote the line when it did (D).
pub(crate) fn finished_invocation(text: &str) -> Option<(&str, Duration)> {
    let (time, rest) = split_token(text.trim_start());
    zoned_time(time)?;
    let (id, rest) = rest.strip_prefix(FINISH)?.split_once('\'')?;
    let (millis, _) = rest.strip_prefix(", duration: ")?.split_once("ms")?;
    let millis: f64 = millis.trim().parse().ok()?;
    let duration = Duration::try_from_secs_f64(millis / 1e3).ok()?;
    Some((id.trim(), duration)).filter(|(id, _)| !id.is_empty())
}

/// How the platform's line about the end of an invocation starts.
pub(crate) const FINISH: &str = "Finish invoke request '";

fn quoted_id(text: &str) -> Option<RequestId<'_>> {
    let rest = ["Start invoke request '", FINISH]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))?;
    let (id, _) = rest.split_once('\'')?;
    let id = id.trim();
    (!id.is_empty()).then_some(RequestId::Certain(id))
}

/// Returns the token in the place of an ID, and what follows it.
fn leading_id(text: &str, is_after_time: bool) -> (Option<RequestId<'_>>, &str) {
    let (id, message) = split_token(text);
    let id = match is_after_time && is_uuid(id) {
        _ if id.is_empty() => None,
        true => Some(RequestId::Certain(id)),
        false => Some(RequestId::Possible(id)),
    };
    (id, message)
}

/// Splits off the text before the first white space.
fn split_token(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((token, rest)) => (token, rest.trim_start()),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{ParsedLine, RequestId, finished_invocation, uuids};

    const ID: &str = "3da1f2dc-3222-475e-9205-e2e6c6318895";

    #[test]
    fn observed_formats_are_parsed() {
        let time = Some(UNIX_EPOCH + Duration::from_millis(1_687_651_200_250));
        for (text, id, message) in [
            (
                format!("2023-06-25T00:00:00.250Z Start invoke request '{ID}', version: latest"),
                RequestId::Certain(ID),
                "",
            ),
            (
                "2023-06-25T00:00:00.250Z Finish invoke request 'r 1', duration: 2.049ms".into(),
                RequestId::Certain("r 1"),
                "",
            ),
            (
                format!("  2023-06-25T00:00:00.250Z\t{ID} INFO hello"),
                RequestId::Certain(ID),
                "INFO hello",
            ),
            (
                "2023-06-25T00:00:00.250Z request-1 INFO hello".into(),
                RequestId::Possible("request-1"),
                "2023-06-25T00:00:00.250Z request-1 INFO hello",
            ),
        ] {
            let id = Some(id);
            assert_eq!(
                ParsedLine::parse(&text),
                ParsedLine { time, id, message },
                "{text}"
            );
        }
    }

    #[test]
    fn duration_of_a_finished_invocation_is_read() {
        let finished = |text: &str| {
            let line = format!("2023-06-25T00:00:00.250Z {text}");
            finished_invocation(&line).map(|(id, duration)| (id.to_owned(), duration))
        };
        let line = "Finish invoke request 'r 1', duration: 2.049ms, billing duration: 3ms";
        let expected = ("r 1".to_owned(), Duration::from_micros(2_049));
        assert_eq!(finished(line), Some(expected));
        assert_eq!(finished_invocation(line), None);
        for other in [
            "",
            "Start invoke request 'r 1', version: latest",
            "Finish invoke request 'r 1'",
            "Finish invoke request 'r 1', duration: 2.049s",
            "Finish invoke request 'r 1', duration: -1ms",
            "Finish invoke request 'r 1', duration: NaNms",
            "Finish invoke request 'r 1', duration: 1e300ms",
            "Finish invoke request '', duration: 1ms",
            "INFO Finish invoke request 'r 1', duration: 1ms",
        ] {
            assert_eq!(finished(other), None, "{other}");
        }
    }

    #[test]
    fn other_text_has_no_certain_id() {
        for (text, id) in [
            ("", None),
            ("2023-06-25T00:00:00.250Z", None),
            ("hello", Some(RequestId::Possible("hello"))),
            // Without a time before it, this can be any UUID.
            (ID, Some(RequestId::Possible(ID))),
            ("Start invoke request '", Some(RequestId::Possible("Start"))),
            (
                "2023-06-25 00:00:00,250 INFO hello",
                Some(RequestId::Possible("2023-06-25")),
            ),
        ] {
            assert_eq!(ParsedLine::parse(text).id, id, "{text}");
        }
        assert_eq!(ParsedLine::parse("2023-06-25T00:00:00é x").time, None);
    }

    #[test]
    fn uuids_are_found_within_a_text() {
        let text = format!("a='{ID}', b={},{ID}0 é", ID.to_uppercase().replace('-', ""));
        assert_eq!(
            uuids(&text).collect::<Vec<_>>(),
            [ID, "3DA1F2DC3222475E9205E2E6C6318895"]
        );
    }
}
