//! [`clients_without_unread_data`]: which requests a server has received completely, according to the kernel.

use std::collections::BTreeSet;
use std::fs;

/// The state of an open connection in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";

/// Returns the ports of the clients from which the server on this port has read everything that they have sent. A connection that
/// it has not accepted does not count.
///
/// The tables are searched as text, because they list the closed connections of the last minute, too: decoding thousands of them
/// takes longer than handling an event.
pub(crate) fn clients_without_unread_data(server: u16) -> BTreeSet<u16> {
    // The connections of a server that listens on all addresses are in the second table. Reading one takes milliseconds.
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].iter();
    let mut clients = tables.map(|path| {
        let table = fs::read_to_string(path).unwrap_or_default();
        clients(&table, server)
    });
    let clients = clients.find(|clients| !clients.is_empty());
    clients.into_iter().flatten().collect()
}

fn clients(table: &str, server: u16) -> Vec<u16> {
    // Ports are written in hexadecimal.
    let server = format!(":{server:04X} ");
    let lines = table.lines().filter(|line| line.contains(&server));
    lines.filter_map(|line| client(line, &server)).collect()
}

/// Parses a line: number, local and remote address, state, `tx:rx` queues, timer, retransmissions, user, timeout, inode.
fn client(line: &str, server: &str) -> Option<u16> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    let (_, unread) = fields.next()?.split_once(':')?;
    let inode = fields.nth(4)?;
    let is_received = local.ends_with(server.trim_end())
        && state == ESTABLISHED
        && unread.bytes().all(|digit| digit == b'0')
        && inode != "0";
    let (_, port) = remote.rsplit_once(':')?;
    is_received.then(|| u16::from_str_radix(port, 16).ok())?
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::{clients, clients_without_unread_data};

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "needs Linux")]
    fn unread_data_and_connections_that_are_not_accepted_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        let port = client.local_addr().unwrap().port();
        let is_received = || clients_without_unread_data(address.port()).contains(&port);
        assert!(!is_received());
        let (mut server, _) = listener.accept().unwrap();
        assert!(is_received());
        client.write_all(b"half").unwrap();
        assert!(!is_received());
        server.read_exact(&mut [0; 4]).unwrap();
        assert!(is_received());
    }

    #[test]
    fn other_lines_are_ignored() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 77 1 0000 100 0 0 10 0\n\
             1: 0100007F:1F91 0100007F:C001 06 00000000:00000000 03:00001767 00000000  0 0 0 3 0000\n\
             2: 0100007F:C002 0100007F:1F91 01 00000000:00000000 00:00000000 00000000  0 0 78 1 0000 20 4 0 10 -1\n\
             3: 0100007F:1F91 0100007F:C003 01 00000000:00000005 00:00000000 00000000  0 0 79 1 0000 20 4 0 10 -1\n\
             4: 0100007F:1F91 0100007F:C004 01 00000000:00000000 00:00000000 00000000  0 0 80 1 0000 20 4 0 10 -1\n\
             5: damaged :1F91 \n";
        assert_eq!(clients(table, 8081), [0xC004]);
    }
}
