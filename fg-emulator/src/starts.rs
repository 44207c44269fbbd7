//! How extensions and the function come up. What is dropped half way leaves nothing behind.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::boot::Leases;
use crate::function::Bootstrap;
use crate::platform::GRACE;
use crate::process::Process;
use crate::shared::unless;
use crate::state::Refusal;
use crate::{Error, ExtensionCommand, Platform, ProcessExit, TelemetryType};

/// How long an extension has to register (?); our own runtime gives up after 10 seconds.
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
    /// If the name is no script name or booted already, the program does not start, ends before it registers
    /// (the error's source is what it printed), or does not register in 15 seconds. [`Error::process_exit`] tells how
    /// its process ended.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished the process is killed, and the name is free again.
    pub async fn boot(&self, boot: ExtensionCommand) -> Result<RegisteredExtension, Error> {
        let leases = Leases::take(&boot).await?;
        self.note_boot(&boot.script)?;
        let forget = self.shared.finally(|state| state.remove(&boot.script));
        let registered = self.boot_process(&boot, leases).await?;
        forget.never();
        Ok(registered)
    }

    /// Waits, without end, until a process registers under this name that somebody else starts, as a debugger
    /// does. It needs the variables of [`environment`](Self::environment); its output is not seen, and it is
    /// neither frozen nor stopped.
    ///
    /// # Errors
    ///
    /// If the name is no script name, or booted already.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished nobody is waited for any more, and the name is free again.
    pub async fn attach(&self, script: impl Into<String>) -> Result<RegisteredExtension, Error> {
        let (script, start) = (script.into(), Instant::now());
        self.note_boot(&script)?;
        let forget = self.shared.finally(|state| state.remove(&script));
        let address = self.shared.when(|state| state.address_of(&script)).await;
        forget.never();
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
    /// If there is a function already, it cannot be executed, or ends (the error's source is what it printed)
    /// or has asked for nothing in 15 seconds.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished the process is killed, and there is no function.
    pub async fn boot_function(&self, bootstrap: impl Into<PathBuf>) -> Result<(), Error> {
        let path = bootstrap.into();
        if !self.shared.change(|state| state.runtime.boot()) {
            return Err(Error::new(
                "there is a function already, and an instance has one",
            ));
        }
        let forget = self
            .shared
            .finally(|state| state.runtime = Default::default());
        let bootstrap = Bootstrap::start(&path, &self.shared).await?;
        let ready = self.shared.when(|state| state.runtime.ready());
        let outcome = tokio::time::timeout(BOOT_TIMEOUT, bootstrap.unless_it_ends(ready)).await;
        if let Ok(Some(())) = outcome {
            *self.lock_function() = Some(Arc::new(bootstrap));
            forget.never();
            return Ok(());
        }
        let stopped = bootstrap.stop(GRACE).await?;
        let what = match outcome {
            Ok(_) => format!(
                "the function ({}) ended with {} before it asked for an event",
                path.display(),
                stopped.status
            ),
            Err(_) => format!(
                "the function ({}) asked for no event in {BOOT_TIMEOUT:?}: a bootstrap calls GET \
                 http://$RUNTIME_API_ADDR/v1/runtime/invocation/request",
                path.display()
            ),
        };
        Err(self.failed(what, stopped))
    }

    fn note_boot(&self, script: &str) -> Result<(), Error> {
        let refused = |refusal: Refusal| {
            Error::new(format!("cannot boot {script}: {}", refusal.error_message))
        };
        self.shared.state().boot(script).map_err(refused)
    }

    async fn boot_process(
        &self,
        boot: &ExtensionCommand,
        leases: Leases,
    ) -> Result<RegisteredExtension, Error> {
        let script = &boot.script;
        let mut command = boot.command(self.folder.path())?;
        command
            .envs(self.shared.environment())
            .envs(&boot.environment);
        let start = Instant::now();
        let kind = TelemetryType::Extension;
        let mut process = Process::start(script, command, kind, leases, &self.shared).await?;
        let registered = self.shared.when(|state| state.address_of(script));
        let outcome = tokio::time::timeout(BOOT_TIMEOUT, unless(registered, process.wait())).await;
        let address = match outcome {
            Ok(Ok(address)) => Some(address),
            // It may have registered just before it ended.
            Ok(Err(_)) | Err(_) => self.shared.state().address_of(script),
        };
        if let Some(address) = address {
            let registered = RegisteredExtension {
                script: script.clone(),
                address,
                startup_duration: start.elapsed(),
                pid: process.id(),
            };
            self.processes().insert(script.clone(), process);
            // Whoever waits for an end has to look at this one, too.
            self.shared.wake();
            return Ok(registered);
        }
        let stopped = process.stop(GRACE).await?;
        let what = match outcome {
            Ok(_) => format!(
                "{script} ended with {} before it registered",
                stopped.status
            ),
            Err(_) => match self.shared.state().refusal.take() {
                // Whose it was nobody knows, least of all if the name was wrong.
                Some(refusal) => format!(
                    "{script} did not register in {BOOT_TIMEOUT:?}, and a registration was refused: {refusal}"
                ),
                None => format!("{script} did not register in {BOOT_TIMEOUT:?}"),
            },
        };
        Err(self.failed(what, stopped))
    }

    fn failed(&self, what: String, stopped: ProcessExit) -> Error {
        let what = match self.shared.dice.seed() {
            Some(seed) => format!("{what} (faults by seed {seed})"),
            None => what,
        };
        let printed = [stopped.stderr(), stopped.stdout()];
        // Not everybody complains where complaints belong.
        let printed = printed.iter().map(|text| text.trim_end());
        let error = match printed.into_iter().find(|text| !text.is_empty()) {
            Some(printed) => Error::because(what)(printed),
            None => Error::new(what),
        };
        error.with_process_exit(stopped)
    }
}

#[cfg(test)]
mod tests {
    use crate::{ExtensionCommand, Platform};

    #[tokio::test(start_paused = true)]
    async fn refused_registration_is_told_by_who_waits_for_another() {
        let platform = Platform::start().await.unwrap();
        let boot = || ExtensionCommand::new("extensionNightWatch.sh", "sleep").arg("1000");
        let error = platform.boot(boot()).await.unwrap_err();
        let silent = "extensionNightWatch.sh did not register in 15s";
        assert_eq!(error.to_string(), silent);

        let address = Some("127.0.0.1:8081");
        let refusal = platform.shared.register(Some("extensionWatch.sh"), address);
        assert!(refusal.is_err());
        let error = platform.boot(boot()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{silent}, and a registration was refused: no script `extensionWatch.sh` was booted"
            )
        );
    }

    #[tokio::test]
    async fn complaint_on_standard_output_is_told() {
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
