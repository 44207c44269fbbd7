//! Which process listens on a port of the platform's range, read from `/proc`.

use std::collections::BTreeSet;

use fg_emulator::PORT_RANGE;
use nix::unistd::Uid;
use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, Process, all_processes};

/// What error messages say of an address that another process has: the operating system's words, Node's, and those of
/// libraries that write their own.
const IN_USE: [&str; 4] = ["in use", "eaddrinuse", "not free", "already bound"];

/// Returns which of the ports that an error message says are in use are taken, as in `port 8081 is held by python3 (pid 123)`.
///
/// A message that says that an address is in use, and not which, means all ports of the range. A message about something
/// else means none, even if it names ports: the hint about a setting does that too.
#[must_use]
pub fn ports_in_use(message: &str) -> Vec<String> {
    let ports = ports(message).into_iter();
    let in_use = ports.filter_map(|port| Some(format!("port {port} is held by {}", owner(port)?)));
    in_use.collect()
}

/// Returns whether an error message names or means a port of the range.
pub(crate) fn mentions_port(message: &str) -> bool {
    !ports(message).is_empty()
}

/// Returns whether connections of a process that has ended keep another from one of those ports: for a minute, unless both
/// set `SO_REUSEADDR`.
pub(crate) fn is_in_time_wait(message: &str) -> bool {
    ports(message).into_iter().any(lingers)
}

fn lingers(port: u16) -> bool {
    let is_old = |entry: &TcpNetEntry| {
        entry.local_address.port() == port && entry.state == TcpState::TimeWait
    };
    entries().any(|entry| is_old(&entry))
}

fn entries() -> impl Iterator<Item = TcpNetEntry> {
    let tables = [procfs::net::tcp(), procfs::net::tcp6()];
    tables.into_iter().filter_map(Result::ok).flatten()
}

/// The process that listens on this port of 127.0.0.1, as in `python3 (pid 123)`; `None` if the port is free.
fn owner(port: u16) -> Option<String> {
    let (mut sockets, mut is_ours) = (Vec::new(), false);
    for entry in entries().filter(|entry| uses_port(entry, port)) {
        sockets.push(entry.inode);
        is_ours |= entry.uid == Uid::effective().as_raw();
    }
    if sockets.is_empty() {
        return None;
    }
    let process = all_processes()
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .find(|process| owns_any_socket(process, &sockets));
    // What another user's process has open is not ours to see.
    let process = process.map(|process| {
        let name = process.stat().map(|stat| stat.comm);
        let name = name.unwrap_or_else(|_| "a process".to_owned());
        format!("{name} (pid {})", process.pid)
    });
    match process {
        // It has ended meanwhile.
        None if is_ours => None,
        None => Some("a process of another user".to_owned()),
        named => named,
    }
}

/// A listener on all addresses takes the port of 127.0.0.1 as well.
fn uses_port(entry: &TcpNetEntry, port: u16) -> bool {
    let ip = entry.local_address.ip().to_canonical();
    let is_ours = ip.is_unspecified() || ip.is_loopback();
    entry.state == TcpState::Listen && entry.local_address.port() == port && is_ours
}

fn owns_any_socket(process: &Process, sockets: &[u64]) -> bool {
    process.fd().into_iter().flatten().any(
        |file| matches!(file, Ok(file) if matches!(file.target, FDTarget::Socket(inode) if sockets.contains(&inode))),
    )
}

/// The ports of the platform's range that a text says are in use: those that it names, those of an address rather than
/// others; all, if it names none.
fn ports(text: &str) -> Vec<u16> {
    let lower_case = text.to_lowercase();
    if !IN_USE.iter().any(|words| lower_case.contains(words)) {
        return Vec::new();
    }
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
    named.map_or_else(|| PORT_RANGE.collect(), |ports| ports.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use super::{lingers, owner, ports};

    #[test]
    fn a_listener_is_named() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                // Without IPv6 there is no such listener to find.
                assert_eq!(address, "[::]:0");
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let owner = owner(port).unwrap();
            let id = format!("(pid {})", std::process::id());
            assert!(owner.ends_with(&id), "{owner}");
        }
    }

    #[test]
    fn a_connection_that_its_server_closed_lingers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        let (server, _) = listener.accept().unwrap();
        drop(listener);
        assert!(!lingers(address.port()));
        drop(server);
        // The server's end has come by then, and ours is the last.
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop(client);
        assert!(lingers(address.port()));
    }

    #[test]
    fn a_port_that_nobody_listens_on_has_no_owner() {
        // One that is nobody's: a free one of the others may be taken at any time.
        assert_eq!(owner(1), None);
    }

    #[test]
    fn ports_of_a_message() {
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
        }
        for text in [
            "OSError: [Errno 98] Address already in use",
            "listen EADDRINUSE",
        ] {
            assert_eq!(ports(text).len(), 10, "{text}");
        }
    }
}
