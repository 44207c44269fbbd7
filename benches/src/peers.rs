//! The peers: the same jobs, written in different ways.

/// How a peer is built.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// The packages of this workspace, built by `cargo fg package`.
    Ours,
    /// A package in `benches/peers`, with features.
    Rust {
        package: &'static str,
        features: &'static str,
    },
    Go,
    Node,
    Python,
}

pub(crate) struct Peer {
    pub(crate) id: &'static str,
    pub(crate) kind: Kind,
    /// What it consists of, for the page.
    pub(crate) description: &'static str,
}

pub(crate) const OURS: &str = "fg-extension";

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        id: OURS,
        kind: Kind::Ours,
        description: "`examples/hello` and `benches/telemetry-reader`, built by `cargo fg package`",
    },
    Peer {
        id: "std",
        kind: rust("std", ""),
        description: "the sockets of Rust's standard library, a thread per connection, no more of HTTP than the \
                      benchmarks need: not something to deploy",
    },
    Peer {
        id: "hyper",
        kind: rust("hyper", ""),
        description: "hyper by hand, with the same responses, paths and limits: a `current_thread` runtime, \
                      telemetry decoded into structs that borrow from the body, musl's allocator",
    },
    Peer {
        id: "hyper-dlmalloc",
        kind: rust("hyper", "dlmalloc"),
        description: "the same with the allocator dlmalloc",
    },
    Peer {
        id: "axum",
        kind: rust("axum", ""),
        description: "axum and reqwest",
    },
    Peer {
        id: "lambda-extension",
        kind: rust("lambda-extension", ""),
        description: "the crate of AWS, against a fake of the API of AWS Lambda. It asks for each invocation, one at a \
                      time, and needs no start script",
    },
    Peer {
        id: "go",
        kind: Kind::Go,
        description: "Go's `net/http` and `encoding/json`",
    },
    Peer {
        id: "node",
        kind: Kind::Node,
        description: "Node's `http`",
    },
    Peer {
        id: "python",
        kind: Kind::Python,
        description: "Python's `http.server`",
    },
];

const fn rust(package: &'static str, features: &'static str) -> Kind {
    Kind::Rust { package, features }
}

impl Peer {
    /// Whether invocations are polled from the API of AWS Lambda.
    pub(crate) fn is_lambda(&self) -> bool {
        self.id == "lambda-extension"
    }

    /// Whether valgrind can count its instructions.
    pub(crate) fn is_native(&self) -> bool {
        matches!(self.kind, Kind::Ours | Kind::Rust { .. })
    }
}
