//! The settings of the probe, and the experiments that it makes only if asked to.

use std::env;

use fg_extension::{Error, setting};

use crate::SCRIPT;

/// The port for events, and the one for telemetry, unless `FG_EXTENSION_PORT` and `FG_TELEMETRY_PORT` say otherwise.
const PORT: u16 = 8090;
const TELEMETRY_PORT: u16 = 8088;

/// The settings of the probe.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `host:port` of the platform's API. Empty if the platform has not set it, which the report must say.
    pub(crate) platform: String,
    pub(crate) port: u16,
    pub(crate) telemetry_port: u16,
    pub(crate) report: String,
    /// `host:port` that the report is posted to.
    pub(crate) upload: Option<String>,
    pub(crate) experiments: Experiments,
}

/// What the probe does to see how the platform reacts. Each of them may disturb the function.
#[derive(Debug, Default)]
pub(crate) struct Experiments {
    pub(crate) slow_response: bool,
    pub(crate) error_response: bool,
    pub(crate) telemetry_same_port: bool,
    pub(crate) telemetry_error: bool,
    pub(crate) bad_registration: bool,
    pub(crate) linger: bool,
    pub(crate) exit: bool,
}

impl Experiments {
    /// All experiments: name, what the probe does, and whether it is asked to.
    pub(crate) fn all(&self) -> [(&'static str, &'static str, bool); 7] {
        [
            (
                "slow-response",
                "responds to each event after 2 s",
                self.slow_response,
            ),
            (
                "error-response",
                "responds to every second event with status 500",
                self.error_response,
            ),
            (
                "telemetry-same-port",
                "subscribes with the port for events",
                self.telemetry_same_port,
            ),
            (
                "telemetry-error",
                "responds to the first batch of telemetry with status 500",
                self.telemetry_error,
            ),
            (
                "bad-registration",
                "first registers with a wrong name, and with a wrong port",
                self.bad_registration,
            ),
            (
                "linger",
                "runs on after the shutdown has begun, until it is killed",
                self.linger,
            ),
            ("exit", "exits after the first event", self.exit),
        ]
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut experiments = Self::default();
        for name in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            *match name {
                "slow-response" => &mut experiments.slow_response,
                "error-response" => &mut experiments.error_response,
                "telemetry-same-port" => &mut experiments.telemetry_same_port,
                "telemetry-error" => &mut experiments.telemetry_error,
                "bad-registration" => &mut experiments.bad_registration,
                "linger" => &mut experiments.linger,
                "exit" => &mut experiments.exit,
                _ => {
                    let names: Vec<_> = experiments.all().iter().map(|(name, ..)| *name).collect();
                    return Err(format!(
                        "`{name}` is not an experiment; write some of {}",
                        names.join(", ")
                    ));
                }
            } = true;
        }
        Ok(experiments)
    }
}

impl Settings {
    pub(crate) fn read() -> Result<Self, Error> {
        let platform = env::var("EXTENSION_API_ADDR").unwrap_or_default();
        let platform = platform
            .trim()
            .trim_start_matches("http://")
            .trim_end_matches('/');
        let text = |name: &str| -> Result<Option<String>, Error> {
            Ok(setting(name)?.map(|it| it.value().to_owned()))
        };
        let upload = text("PROBE_UPLOAD")?;
        if upload
            .as_deref()
            .is_some_and(|it| it.parse::<std::net::SocketAddr>().is_err())
        {
            return Err("cannot read PROBE_UPLOAD: it is not an address; write an IP address and a port, such as 10.0.0.5:8000".into());
        }
        Ok(Self {
            platform: platform.to_owned(),
            port: port("FG_EXTENSION_PORT", text("FG_EXTENSION_PORT")?, PORT)?,
            telemetry_port: port(
                "FG_TELEMETRY_PORT",
                text("FG_TELEMETRY_PORT")?,
                TELEMETRY_PORT,
            )?,
            report: text("PROBE_REPORT")?.unwrap_or_else(|| "/tmp/platform-probe.md".to_owned()),
            upload,
            experiments: Experiments::parse(&text("PROBE_EXPERIMENTS")?.unwrap_or_default())
                .map_err(|message| format!("cannot read PROBE_EXPERIMENTS: {message}"))?,
        })
    }
}

/// Reads a port, or a list of ports by script name: `extensionOther.sh=8085,extensionPlatformProbe.sh=8086`.
fn port(setting: &str, value: Option<String>, default: u16) -> Result<u16, String> {
    let value = value.unwrap_or_default();
    let mut port = default;
    for entry in value.split(',').map(str::trim).filter(|it| !it.is_empty()) {
        let (name, number) = entry.split_once('=').unwrap_or((SCRIPT, entry));
        let number = number
            .trim()
            .parse()
            .ok()
            .filter(|it| (8081..=8090).contains(it));
        let number = number.ok_or_else(|| {
            format!("cannot read {setting}: `{entry}` is not a port; write 8081 to 8090")
        })?;
        if name.trim() == SCRIPT {
            port = number;
        }
    }
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_may_be_a_list() {
        let port = |value: &str| port("P", Some(value.to_owned()), PORT);
        assert_eq!(port(""), Ok(8090));
        assert_eq!(port("8083"), Ok(8083));
        assert_eq!(
            port("extensionOther.sh=8081, extensionPlatformProbe.sh=8084"),
            Ok(8084)
        );
        assert_eq!(port("extensionOther.sh=8081"), Ok(8090));
        assert!(port("80").is_err());
    }

    #[test]
    fn every_experiment_can_be_asked_for() {
        for (name, ..) in Experiments::default().all() {
            let asked = Experiments::parse(&format!(" {name},")).map(|it| it.all());
            let asked = asked.into_iter().flatten().filter(|(.., asked)| *asked);
            assert_eq!(asked.map(|(name, ..)| name).collect::<Vec<_>>(), [name]);
        }
        assert!(Experiments::parse("slow").is_err());
    }
}
