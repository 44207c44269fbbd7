//! An export endpoint that is our own receiver.
//!
//! The function is likely to see the same variables as the extension (I), and points its SDK at the receiver with them. The
//! receiver's address is also the default endpoint of exporters.

use std::net::SocketAddr;

use hyper::Uri;

use super::host;
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

/// Returns whether the URL leads to the receiver at this address, as far as the URL shows that.
pub(super) fn is_own(endpoint: &Uri, receiver: SocketAddr) -> bool {
    let is_same_host = match host::address(endpoint) {
        // A connection to the unspecified address reaches this machine.
        Some(address) => address.is_unspecified() || address == receiver.ip(),
        None => host::is_localhost(endpoint),
    };
    is_same_host && host::port(endpoint) == receiver.port()
}

/// Returns the line that says what is not exported, and what to set.
pub(super) fn diagnostic(
    signals: &[Signal],
    receiver: SocketAddr,
    has_endpoint: bool,
) -> Diagnostic {
    let what = match signals {
        [_, _, _] => "no data is exported".to_owned(),
        some => {
            let names: Vec<String> = some.iter().map(Signal::to_string).collect();
            format!("no {} are exported", names.join(" and no "))
        }
    };
    let set = "set FG_OTLP_ENDPOINT to the URL of your collector";
    Diagnostic::Error(match has_endpoint {
        true => format!(
            "the export endpoint is the receiver of this extension at {receiver}, so {what}; {set}"
        ),
        false => format!("no collector is configured, so {what}; {set}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_endpoint_is_recognized_by_its_host_and_port() {
        let receiver: SocketAddr = "127.0.0.1:4318".parse().unwrap();
        for (endpoint, own) in [
            ("http://127.0.0.1:4318/v1/logs", true),
            ("https://LOCALHOST:4318", true),
            ("http://localhost.:4318", true),
            ("http://0.0.0.0:4318", true),
            ("http://[::]:4318", true),
            ("http://[::ffff:127.0.0.1]:4318", true),
            ("http://[::1]:4318", false),
            ("http://127.0.0.2:4318", false),
            ("http://localhost:4317", false),
            ("http://localhost", false),
            ("http://collector:4318", false),
        ] {
            assert_eq!(
                is_own(&endpoint.parse().unwrap(), receiver),
                own,
                "{endpoint}"
            );
        }
        let receiver: SocketAddr = "[::1]:80".parse().unwrap();
        for (endpoint, own) in [
            ("http://[::1]", true),
            ("http://localhost/otlp", true),
            ("https://[::1]", false),
            ("http://127.0.0.1", false),
        ] {
            assert_eq!(
                is_own(&endpoint.parse().unwrap(), receiver),
                own,
                "{endpoint}"
            );
        }
    }
}
