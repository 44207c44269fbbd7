//! The network: that of the machine, or a simulated one in tests.

#[cfg(test)]
pub(crate) use crate::simulation::network::{TcpListener, TcpSocket, TcpStream};
#[cfg(not(test))]
pub(crate) use tokio::net::{TcpListener, TcpSocket, TcpStream};
