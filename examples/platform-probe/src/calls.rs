//! How the platform calls the probe: paths, headers in their order, framing, connections. Separate for each kind of call.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::http::{Framing, Headers, Request};
use crate::redact::{Name, class, known_word, request_path};
use crate::row::Row;
use crate::shape::Shape;
use crate::tally::{Spread, Tally};

/// What a request is about, judged by its path and body.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    Invocation,
    Telemetry,
    /// The function, through the client that the guide shows.
    Function,
    /// None of the above, such as a shutdown event.
    Other,
}

/// The requests of one kind.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    count: u64,
    lines: Tally,
    headers: Tally,
    framing: Tally,
    shapes: Tally,
    connections: u64,
    most_on_connection: usize,
    transfer: Spread,
    interval: Spread,
    last: Option<Instant>,
}

impl Calls {
    pub(crate) fn add(&mut self, request: &Request) {
        self.count += 1;
        self.lines.add(line(request));
        self.headers.add(header_list(&request.headers));
        self.framing.add(framing(request.framing));
        if request.position == 1 {
            self.connections += 1;
        }
        self.most_on_connection = self.most_on_connection.max(request.position);
        self.transfer.add(request.transfer);
        if let Some(last) = self.last.replace(request.arrived) {
            self.interval
                .add(request.arrived.saturating_duration_since(last));
        }
    }

    /// Adds the shape of the body. Not for telemetry, whose events have shapes of their own.
    pub(crate) fn add_shape(&mut self, body: &[u8]) {
        self.shapes.add(format!("`{}`", Shape::of_body(body)));
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lines()
    }

    pub(crate) fn headers(&self) -> Vec<String> {
        self.headers.lines()
    }

    pub(crate) fn framing(&self) -> Vec<String> {
        self.framing.lines()
    }

    pub(crate) fn shapes(&self) -> Vec<String> {
        self.shapes.lines()
    }

    pub(crate) fn intervals(&self) -> Option<String> {
        (self.count > 1).then(|| self.interval.to_string())
    }

    pub(crate) fn transfer(&self) -> Option<String> {
        (self.count > 0).then(|| self.transfer.to_string())
    }

    pub(crate) fn connections(&self) -> Option<String> {
        let Self {
            count,
            connections,
            most_on_connection,
            ..
        } = self;
        (*count > 0).then(|| {
            format!(
                "{count} requests on {connections} connections, at most {most_on_connection} on one"
            )
        })
    }
}

/// All calls.
#[derive(Debug, Default)]
pub(crate) struct AllCalls {
    kinds: BTreeMap<Kind, Calls>,
    closed: Spread,
    closed_count: u64,
    unused: u64,
    broken: u64,
}

impl AllCalls {
    pub(crate) fn of(&mut self, kind: Kind) -> &mut Calls {
        self.kinds.entry(kind).or_default()
    }

    pub(crate) fn get(&self, kind: Kind) -> Option<&Calls> {
        self.kinds.get(&kind)
    }

    pub(crate) fn closed(&mut self, requests: usize, idle: Option<Duration>) {
        match (requests, idle) {
            (_, None) => self.broken += 1,
            (0, Some(_)) => self.unused += 1,
            (_, Some(idle)) => {
                self.closed_count += 1;
                self.closed.add(idle);
            }
        }
    }

    /// Who closes connections, of all kinds together.
    pub(crate) fn closing_row(&self) -> Row {
        let Self {
            closed,
            closed_count,
            unused,
            broken,
            ..
        } = self;
        let observed = (closed_count + unused + broken > 0).then(|| {
            format!(
                "{closed_count} closed by the client, {closed} after its last response; {unused} closed unused; {broken} broken within a request"
            )
        });
        Row::new('?', "who closes a connection, and when", observed)
    }

    pub(crate) fn rows_of_others(&self) -> Vec<Row> {
        let others = self.get(Kind::Other);
        let list = |of: fn(&Calls) -> Vec<String>| others.map(of).unwrap_or_default();
        vec![
            Row::list(
                '?',
                "path of the shutdown event, and other requests than invocations and telemetry",
                list(Calls::lines),
            ),
            Row::list('?', "their headers", list(Calls::headers)),
            Row::list('?', "their bodies", list(Calls::shapes)),
        ]
    }
}

fn line(request: &Request) -> String {
    let target = request.target.split('?').next().unwrap_or_default();
    let query = if request.target.contains('?') {
        " with a query"
    } else {
        ""
    };
    let method = Name::new(&request.method);
    format!(
        "`{method} {}{query} HTTP/1.{}`",
        request_path(target),
        request.version
    )
}

/// The names of headers in their order and spelling, and the values of those that have known words.
pub(crate) fn header_list(headers: &Headers) -> String {
    let describe = |name: &str| {
        let shown = Name::new(name);
        let is = |it: &str| name.eq_ignore_ascii_case(it);
        let value = headers.get(name).unwrap_or_default();
        match known_word(value) {
            Some(word) => format!("{shown}: {word}"),
            None if is("content-length") => shown.to_string(),
            None => format!("{shown}: {}", class(value)),
        }
    };
    let list: Vec<_> = headers.names().take(60).map(describe).collect();
    format!("[{}]", list.join(", "))
}

pub(crate) fn framing(framing: Framing) -> &'static str {
    match framing {
        Framing::Length(_) => "Content-Length",
        Framing::Chunked => "chunked",
        Framing::Absent => "neither Content-Length nor chunked",
    }
}
