//! The leased ports of one extension.

use super::PortLease;
use crate::Error;

/// The leased ports of one extension, each with the environment variable that passes it to the process.
#[derive(Debug, Default)]
pub(crate) struct ExtensionPorts(Vec<(&'static str, PortLease)>);

impl ExtensionPorts {
    /// Leases one port for each variable, all at once.
    pub(crate) async fn lease(variables: Vec<&'static str>) -> Result<Self, Error> {
        let leases = PortLease::acquire_async(variables.len()).await?;
        Ok(Self(variables.into_iter().zip(leases).collect()))
    }

    /// Returns each variable with its port.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, u16)> {
        self.0
            .iter()
            .map(|(variable, lease)| (*variable, lease.port()))
    }
}
