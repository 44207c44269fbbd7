//! The leased ports of one extension.

use super::PortLease;
use crate::Error;

/// The ports of one extension, each with the environment variable that passes it on.
#[derive(Debug, Default)]
pub(crate) struct ExtensionPorts(Vec<(&'static str, PortLease)>);

impl ExtensionPorts {
    /// Leases a port for each of the variables, all at once.
    pub(crate) async fn lease(variables: Vec<&'static str>) -> Result<Self, Error> {
        let leases = PortLease::acquire_async(variables.len()).await?;
        Ok(Self(variables.into_iter().zip(leases).collect()))
    }

    /// Returns the variables, each with its port.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, u16)> {
        self.0
            .iter()
            .map(|(variable, lease)| (*variable, lease.port()))
    }
}
