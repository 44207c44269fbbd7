//! Boots extensions and the function. A boot that is dropped unfinished leaves no process behind.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fg_util::select::{Either, select};

use super::Platform;
use super::shutdown::GRACE_PERIOD;
use crate::function::Bootstrap;
use crate::port::ExtensionPorts;
use crate::process::Process;
use crate::{Error, ExtensionCommand, ProcessExit, TelemetryType};

/// How long an extension has to register (?); our own runtime times out after 10 seconds.
pub(crate) const BOOT_TIMEOUT: Duration = Duration::from_secs(15);

/// An extension that has registered.
#[derive(Debug)]
#[non_exhaustive]
pub struct RegisteredExtension {
    /// Its script name.
    pub script: String,
    /// Where it takes events.
    pub address: SocketAddr,
    /// From its start to its registration.
    pub startup_duration: Duration,
    /// The number of its process, and of its group; of one that was attached it is not known.
    pub pid: Option<u32>,
}

impl Platform {
    /// Boots an executable on a free port of the platform's range, and waits for its registration.
    ///
    /// The port goes to it through `FG_EXTENSION_PORT`, so that tests can run side by side: see
    /// [`ExtensionCommand::lease_port`]. For more, see [`boot`](Self::boot).
    ///
    /// # Errors
    ///
    /// As [`boot`](Self::boot).
    ///
    /// # Cancel safety
    ///
    /// As [`boot`](Self::boot).
    pub async fn boot_bin(
        &self,
        script: impl Into<String>,
        program: impl Into<PathBuf>,
    ) -> Result<RegisteredExtension, Error> {
        self.boot(ExtensionCommand::new(script, program).lease_port())
            .await
    }

    /// Boots an extension, and waits for its registration.
    ///
    /// # Errors
    ///
    /// If the name is not a [script name](crate::ScriptName) or is booted already, the program does not start, exits before
    /// it registers (the error's source is what it printed), or does not register in 15 seconds.
    /// [`Error::process_exit`] has how its process exited.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished the process is killed, and the name is free again.
    pub async fn boot(&self, command: ExtensionCommand) -> Result<RegisteredExtension, Error> {
        self.inner
            .or_observer_panic(self.boot_extension(&command))
            .await
    }

    async fn boot_extension(
        &self,
        command: &ExtensionCommand,
    ) -> Result<RegisteredExtension, Error> {
        let script = &command.script;
        let ports = command.lease_ports().await?;
        self.add_extension(script)?;
        let remove = self
            .inner
            .update_on_drop(|state| state.remove_extension(script));
        let registered = self.boot_process(command, ports).await?;
        remove.disarm();
        Ok(registered)
    }

    /// Waits, without end, until a process registers under this name that somebody else starts, as a debugger
    /// does. It needs the variables of [`environment`](Self::environment); its output is not seen, and it is
    /// neither frozen nor stopped.
    ///
    /// # Errors
    ///
    /// If the name is not a script name, or is booted already.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished nobody is waited for any more, and the name is free again.
    pub async fn attach(&self, script: impl Into<String>) -> Result<RegisteredExtension, Error> {
        let (script, start) = (script.into(), Instant::now());
        self.add_extension(&script)?;
        let remove = self
            .inner
            .update_on_drop(|state| state.remove_extension(&script));
        let address = self
            .inner
            .wait_until(|state| state.registered_address(&script));
        let address = self.inner.or_observer_panic(address).await;
        remove.disarm();
        Ok(RegisteredExtension {
            script,
            address,
            startup_duration: start.elapsed(),
            pid: None,
        })
    }

    /// Boots the function: a custom runtime's `bootstrap`, which is executed in its own folder, and waits until it
    /// asks for an event. Without one the function is synthetic.
    ///
    /// It has 30 seconds for an invocation. What it does not answer by then it may still answer, but to nobody.
    ///
    /// # Errors
    ///
    /// If there is a function already, it cannot be executed, or it exits (the error's source is what it printed)
    /// or has not asked for an event in 15 seconds.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished the process is killed, and there is no function.
    pub async fn boot_function(&self, bootstrap: impl Into<PathBuf>) -> Result<(), Error> {
        let path = bootstrap.into();
        self.inner
            .or_observer_panic(self.boot_bootstrap(&path))
            .await
    }

    async fn boot_bootstrap(&self, path: &Path) -> Result<(), Error> {
        if !self.inner.update(|state| state.runtime.claim()) {
            return Err(Error::new(
                "there is a function already, and an instance has one",
            ));
        }
        let release = self
            .inner
            .update_on_drop(|state| state.runtime = Default::default());
        let bootstrap = Bootstrap::start(path, &self.inner).await?;
        let ready = self
            .inner
            .wait_until(|state| state.runtime.is_ready().then_some(()));
        let outcome = tokio::time::timeout(BOOT_TIMEOUT, bootstrap.unless_exited(ready)).await;
        if let Ok(Some(())) = outcome {
            *self.lock_function() = Some(Arc::new(bootstrap));
            release.disarm();
            return Ok(());
        }
        let exit = bootstrap.stop(GRACE_PERIOD).await?;
        let message = match outcome {
            Ok(_) => format!(
                "the function ({}) ended with {} before it asked for an event",
                path.display(),
                exit.status
            ),
            Err(_) => format!(
                "the function ({}) asked for no event in {BOOT_TIMEOUT:?}: a bootstrap calls GET \
                 http://$RUNTIME_API_ADDR/v1/runtime/invocation/request",
                path.display()
            ),
        };
        Err(self.boot_error(message, exit))
    }

    fn add_extension(&self, script: &str) -> Result<(), Error> {
        let added = self.inner.state().add_extension(script);
        added.map_err(|rejection| {
            Error::new(format!("cannot boot {script}: {}", rejection.error_message))
        })
    }

    async fn boot_process(
        &self,
        command: &ExtensionCommand,
        ports: ExtensionPorts,
    ) -> Result<RegisteredExtension, Error> {
        let script = &command.script;
        let mut executable = command.executable(self.folder.path())?;
        executable
            .envs(self.inner.environment())
            .envs(&command.environment);
        let start = Instant::now();
        let kind = TelemetryType::Extension;
        let mut process = Process::spawn(script, executable, kind, ports, &self.inner).await?;
        let registered = self
            .inner
            .wait_until(|state| state.registered_address(script));
        let outcome = tokio::time::timeout(BOOT_TIMEOUT, select(registered, process.wait())).await;
        let address = match outcome {
            Ok(Either::First(address)) => Some(address),
            // It may have registered just before it exited.
            Ok(Either::Second(_)) | Err(_) => self.inner.state().registered_address(script),
        };
        if let Some(address) = address {
            let registered = RegisteredExtension {
                script: script.clone(),
                address,
                startup_duration: start.elapsed(),
                pid: process.id(),
            };
            self.processes().insert(script.clone(), process);
            // Whoever waits for an exit has to look at this process, too.
            self.inner.notify_waiters();
            return Ok(registered);
        }
        let exit = process.stop(GRACE_PERIOD).await?;
        let message = match outcome {
            Ok(_) => format!("{script} ended with {} before it registered", exit.status),
            Err(_) => match self.inner.state().last_rejection.take() {
                // Whose it was is unknown, least of all if the name was wrong.
                Some(rejection) => format!(
                    "{script} did not register in {BOOT_TIMEOUT:?}, and a registration was rejected: {rejection}"
                ),
                None => format!("{script} did not register in {BOOT_TIMEOUT:?}"),
            },
        };
        Err(self.boot_error(message, exit))
    }

    fn boot_error(&self, message: String, exit: ProcessExit) -> Error {
        let message = match self.inner.faults.seed() {
            Some(seed) => format!("{message} (faults by seed {seed})"),
            None => message,
        };
        // Some programs print their errors on standard output.
        let output = [exit.stderr(), exit.stdout()];
        let output = output.iter().map(|text| text.trim_end());
        let error = match output.into_iter().find(|text| !text.is_empty()) {
            Some(output) => Error::because(message)(output),
            None => Error::new(message),
        };
        error.with_process_exit(exit)
    }
}

#[cfg(test)]
mod tests {
    use crate::{ExtensionCommand, Platform};

    #[tokio::test(start_paused = true)]
    async fn rejected_registration_is_in_the_error_of_a_boot_that_times_out() {
        let platform = Platform::start().await.unwrap();
        let boot = || ExtensionCommand::new("extensionNightWatch.sh", "sleep").arg("1000");
        let error = platform.boot(boot()).await.unwrap_err();
        let silent = "extensionNightWatch.sh did not register in 15s";
        assert_eq!(error.to_string(), silent);

        let address = Some("127.0.0.1:8081");
        let registered = platform.inner.register(Some("extensionWatch.sh"), address);
        assert!(registered.is_err());
        let error = platform.boot(boot()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{silent}, and a registration was rejected: no script `extensionWatch.sh` was booted"
            )
        );
    }

    #[tokio::test]
    async fn error_on_standard_output_is_reported() {
        let platform = Platform::start().await.unwrap();
        let boot = ExtensionCommand::new("extensionNightWatch.sh", "sh");
        let boot = boot.arg("-c").arg("echo no stars; exit 3");
        let error = platform.boot(boot).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(
            format!("{error}: {source}"),
            "extensionNightWatch.sh ended with exit status: 3 before it registered: no stars"
        );
    }
}
