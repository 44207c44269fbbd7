//! Finds the process that listens on a port of the platform's range.

use std::collections::BTreeSet;
use std::fmt;

use fg_emulator::PORT_RANGE;

use crate::system::{IS_LINUX, has_time_wait_connection, owner};

/// Parts of error messages that say that an address is in use: those of the operating system, of Node.js, and of libraries.
const IN_USE: [&str; 4] = ["in use", "eaddrinuse", "not free", "already bound"];

/// Returns the owner of each port that an error message reports as in use: `port 8081 is in use by python3 (pid 123)`.
///
/// Only ports that a process listens on are returned. If the message says that an address is in use without naming a port,
/// all ports of the platform's range are examined. A message that does not say so yields no ports, even if it names some,
/// because a hint about a setting can name ports too.
#[must_use]
pub fn ports_in_use(message: &str) -> Vec<String> {
    let ports = ports(message).into_iter();
    let in_use =
        ports.filter_map(|port| Some(format!("port {port} is in use by {}", port_owner(port)?)));
    in_use.collect()
}

/// Returns the ports of the platform's range that a message both names and reports as in use.
#[must_use]
pub fn ports_named_in_use(message: &str) -> Vec<u16> {
    if says_in_use(message) {
        named_ports(message)
    } else {
        Vec::new()
    }
}

/// The process that listens on a port. Displayed as `python3 (pid 123)`, or as `a process of another user`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PortOwner {
    /// The name and the ID of the process; `None` if it belongs to another user.
    pub process: Option<(String, i32)>,
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            Some((name, id)) => write!(f, "{name} (pid {id})"),
            None if IS_LINUX => f.write_str("a process of another user"),
            None => f.write_str("another process"),
        }
    }
}

/// Returns whether an error message says that a port of the range is in use.
pub(crate) fn reports_port_in_use(message: &str) -> bool {
    !ports(message).is_empty()
}

/// Returns whether connections of an exited process block one of the ports that the message reports as in use.
///
/// Unless both processes set `SO_REUSEADDR`, such connections block the port for a minute.
pub(crate) fn is_in_time_wait(message: &str) -> bool {
    ports(message).into_iter().any(has_time_wait_connection)
}

/// Returns the process that listens on this port of 127.0.0.1. Returns `None` if the port is free.
#[must_use]
pub fn port_owner(port: u16) -> Option<PortOwner> {
    owner(port)
}

/// Returns the ports of the platform's range that a message reports as in use.
///
/// Ports that follow a colon, as in an address, take precedence over other numbers. If the message names no port, all
/// ports of the range are returned.
fn ports(text: &str) -> Vec<u16> {
    if !says_in_use(text) {
        return Vec::new();
    }
    let named = named_ports(text);
    if named.is_empty() {
        return PORT_RANGE.collect();
    }
    named
}

fn says_in_use(text: &str) -> bool {
    let lower_case = text.to_lowercase();
    IN_USE.iter().any(|part| lower_case.contains(part))
}

/// Returns the ports of the platform's range that a text names.
fn named_ports(text: &str) -> Vec<u16> {
    let mut after_colon = false;
    let (mut of_addresses, mut others) = (BTreeSet::new(), BTreeSet::new());
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let number = part.trim_end_matches(|c: char| !c.is_ascii_digit()).parse();
        match number {
            Ok(port) if PORT_RANGE.contains(&port) && after_colon => of_addresses.insert(port),
            Ok(port) if PORT_RANGE.contains(&port) => others.insert(port),
            _ => false,
        };
        after_colon = part.ends_with(':');
    }
    let named = [of_addresses, others]
        .into_iter()
        .find(|ports| !ports.is_empty());
    named.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::{ports, ports_named_in_use};

    #[test]
    fn ports_in_use_are_parsed_from_messages() {
        for (text, expected) in [
            (
                "ERROR: cannot listen on 127.0.0.1:8083: Address in use",
                &[8083][..],
            ),
            ("cannot bind 8090, 8081 and 8090: in use", &[8081, 8090]),
            (
                "FG_EXTENSION_PORT is `9000`: write a port from 8081 to 8090, as in `8085`",
                &[],
            ),
            (
                "127.0.0.1:8083 is not free; set one from 8081 to 8090",
                &[8083],
            ),
            ("18081 80810 8080 8091 are not in the range", &[]),
            ("nonsense", &[]),
        ] {
            assert_eq!(ports(text), expected, "{text}");
            assert_eq!(ports_named_in_use(text), expected, "{text}");
        }
        for text in [
            "OSError: [Errno 98] Address already in use",
            "listen EADDRINUSE",
        ] {
            assert_eq!(ports(text).len(), 10, "{text}");
            assert!(ports_named_in_use(text).is_empty(), "{text}");
        }
    }
}
