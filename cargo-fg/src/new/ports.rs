//! Chooses the ports of a new extension: different ones from those of the extensions around it, since each port of an
//! instance can be used once (D 2707).

use std::collections::BTreeSet;

use anyhow::bail;
use fg_emulator::PORT_RANGE;

use super::taken_ports::TakenPorts;

/// The ports of an extension.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ports {
    /// The port of the extension's server.
    pub(crate) extension: u16,
    /// The port for telemetry; `None` if the extension does not subscribe.
    pub(crate) telemetry: Option<u16>,
}

impl Ports {
    /// Returns `wanted`, the port that the user chose, or the default ports, or else the lowest ones that are free.
    ///
    /// # Errors
    ///
    /// Returns an error if the user chose no port, and too few ports are free.
    pub(super) fn choose(
        default: Self,
        wanted: Option<u16>,
        taken: &TakenPorts,
    ) -> anyhow::Result<Self> {
        let mut free: BTreeSet<u16> = PORT_RANGE.collect();
        free.retain(|port| !taken.contains_key(port));
        if let Some(extension) = wanted {
            free.remove(&extension);
            let next = next_to(extension);
            let is_free = free.contains(&next);
            let other = if is_free { None } else { free.first().copied() };
            let telemetry = default.telemetry.map(|_| other.unwrap_or(next));
            return Ok(Self {
                extension,
                telemetry,
            });
        }
        if default.all().all(|port| free.contains(&port)) {
            return Ok(default);
        }
        let adjacent = free.iter().find(|port| free.contains(&(*port + 1)));
        let mut lowest = free.iter().copied();
        let chosen = match (default.telemetry, adjacent) {
            (None, _) => lowest.next().map(|extension| (extension, None)),
            (Some(_), Some(port)) => Some((*port, Some(port + 1))),
            (Some(_), None) => lowest.next().zip(lowest.next().map(Some)),
        };
        let Some((extension, telemetry)) = chosen else {
            let count = default.all().count();
            let free = match free.len() {
                0 => "none is".to_owned(),
                1 => "only 1 is".to_owned(),
                free => format!("only {free} are"),
            };
            bail!(
                "the package needs {count} of the ports {} to {}, but {free} free, because other packages \
                 here use {}; choose a port that no other extension of its function has with --port PORT",
                PORT_RANGE.start(),
                PORT_RANGE.end(),
                taken.list(|_| true)
            )
        };
        Ok(Self {
            extension,
            telemetry,
        })
    }

    /// Returns all ports.
    pub(crate) fn all(self) -> impl Iterator<Item = u16> {
        [Some(self.extension), self.telemetry].into_iter().flatten()
    }
}

/// Returns the port above, or that below the highest one.
fn next_to(port: u16) -> u16 {
    if port < *PORT_RANGE.end() {
        port + 1
    } else {
        port - 1
    }
}

#[cfg(test)]
mod tests {
    use super::Ports;
    use crate::new::taken_ports::TakenPorts;

    #[test]
    fn free_ports_are_chosen() {
        let one = ports(8081, None);
        let two = ports(8083, Some(8084));
        for (default, wanted, taken, expected) in [
            (one, None, &[][..], one),
            (two, None, &[8081], two),
            (one, None, &[8081, 8083], ports(8082, None)),
            (two, None, &[8084], ports(8081, Some(8082))),
            (two, None, &[8081, 8083, 8084], ports(8085, Some(8086))),
            (
                two,
                None,
                &[8081, 8083, 8085, 8087, 8089],
                ports(8082, Some(8084)),
            ),
            // The user's choice is not changed.
            (one, Some(8081), &[8081], one),
            (two, Some(8090), &[], ports(8090, Some(8089))),
            (two, Some(8084), &[8085], ports(8084, Some(8081))),
            (
                two,
                Some(8084),
                &[8081, 8082, 8083, 8085, 8086, 8087, 8088, 8089, 8090],
                ports(8084, Some(8085)),
            ),
        ] {
            let chosen = Ports::choose(default, wanted, &taken_by_a(taken)).unwrap();
            assert_eq!(chosen, expected, "{wanted:?}, {taken:?}");
        }
    }

    #[test]
    fn too_few_free_ports_are_an_error() {
        let taken: Vec<_> = (8082..=8090).collect();
        let taken = taken_by_a(&taken);
        assert!(Ports::choose(ports(8085, None), None, &taken).is_ok());
        let error = Ports::choose(ports(8083, Some(8084)), None, &taken).unwrap_err();
        let expected = "the package needs 2 of the ports 8081 to 8090, but only 1 is free, because other packages here \
                        use 8082 (a), 8083 (a), ";
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    fn ports(extension: u16, telemetry: Option<u16>) -> Ports {
        Ports {
            extension,
            telemetry,
        }
    }

    fn taken_by_a(ports: &[u16]) -> TakenPorts {
        TakenPorts(ports.iter().map(|port| (*port, "a".to_owned())).collect())
    }
}
