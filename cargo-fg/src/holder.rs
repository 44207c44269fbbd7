//! Who listens on a port.

use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, Process, all_processes};

/// The process that listens on this port of 127.0.0.1, as in `python3 (pid 123)`; nobody is `None`.
pub(crate) fn holder(port: u16) -> Option<String> {
    let tables = [procfs::net::tcp(), procfs::net::tcp6()];
    let sockets: Vec<_> = tables
        .into_iter()
        .filter_map(Result::ok)
        .flatten()
        .filter(|entry| is_in_the_way(entry, port))
        .map(|entry| entry.inode)
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let process = all_processes()
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .find(|process| holds_any(process, &sockets));
    // What another user's process has open is not ours to see.
    let process = process.map(|process| {
        let name = process.stat().map(|stat| stat.comm);
        let name = name.unwrap_or_else(|_| "a process".to_owned());
        format!("{name} (pid {})", process.pid)
    });
    Some(process.unwrap_or_else(|| "a process of another user".to_owned()))
}

/// A listener on all addresses takes the port of 127.0.0.1 as well.
fn is_in_the_way(entry: &TcpNetEntry, port: u16) -> bool {
    let ip = entry.local_address.ip().to_canonical();
    let is_ours = ip.is_unspecified() || ip.is_loopback();
    entry.state == TcpState::Listen && entry.local_address.port() == port && is_ours
}

fn holds_any(process: &Process, sockets: &[u64]) -> bool {
    process.fd().into_iter().flatten().any(
        |file| matches!(file, Ok(file) if matches!(file.target, FDTarget::Socket(inode) if sockets.contains(&inode))),
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::holder;

    #[test]
    fn a_listener_is_named() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                // Without IPv6 there is no such listener to find.
                assert_eq!(address, "[::]:0");
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let holder = holder(port).unwrap();
            let id = format!("(pid {})", std::process::id());
            assert!(holder.ends_with(&id), "{holder}");
        }
    }

    #[test]
    fn a_port_that_nobody_listens_on_has_no_holder() {
        // One that is nobody's: a free one of the others may be taken at any time.
        assert_eq!(holder(1), None);
    }
}
