//! As much of HTTP/1.1 as the fake platform and the load generator need: messages with a `content-length`.

use std::ops::Range;

/// The head of a message, and where its body is.
#[derive(Debug, PartialEq)]
pub(crate) struct Message<'a> {
    /// The request line or the status line.
    pub(crate) first_line: &'a str,
    headers: &'a str,
    pub(crate) body: Range<usize>,
}

impl Message<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self
            .headers
            .split("\r\n")
            .filter_map(|it| it.split_once(':'));
        let (_, value) = headers.find(|(it, _)| it.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.first_line.split(' ').nth(1)?.parse().ok()
    }
}

/// Returns the message at the start of the buffer, or `None` if it is not complete.
pub(crate) fn parse(buffer: &[u8]) -> Option<Message<'_>> {
    let length = buffer.windows(4).position(|it| it == b"\r\n\r\n")?;
    let head = str::from_utf8(&buffer[..length]).ok()?;
    let (first_line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let mut message = Message {
        first_line,
        headers,
        body: length + 4..length + 4,
    };
    let body = message
        .header("content-length")
        .map_or(Some(0), |it| it.parse().ok())?;
    message.body.end += body;
    (message.body.end <= buffer.len()).then_some(message)
}

/// Returns a complete POST request.
pub(crate) fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_parsed_once_it_is_complete() {
        let text = b"HTTP/1.1 503 Busy\r\nA: b\r\nContent-Length: 2\r\n\r\nhinext";
        for end in 0..text.len() - 4 {
            assert_eq!(parse(&text[..end]), None);
        }
        let message = parse(text).unwrap();
        assert_eq!(message.status(), Some(503));
        assert_eq!(message.header("a"), Some("b"));
        assert_eq!(&text[message.body], b"hi");
    }

    #[test]
    fn a_message_without_a_length_has_no_body() {
        let message = parse(b"GET /next HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!(message.first_line, "GET /next HTTP/1.1");
        assert!(message.body.is_empty());
    }

    #[test]
    fn post_can_be_parsed() {
        let request = post("/a", b"{}");
        let message = parse(&request).unwrap();
        assert_eq!(&request[message.body], b"{}");
    }
}
