//! Boots extensions and the function. A boot whose future is dropped leaves no process behind.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fg_util::select::{Either, select};

use super::Platform;
use super::shutdown::GRACE_PERIOD;
use crate::function::{Bootstrap, FunctionKind};
use crate::port::ExtensionPorts;
use crate::process::Process;
use crate::state::Registration;
use crate::{Error, ExtensionCommand, TelemetryType, describe_exit};

/// How long an extension may take to register, and a function to request its first event (?). It is longer than the
/// 10 seconds after which `fg-extension` stops retrying.
pub(crate) const BOOT_TIMEOUT: Duration = Duration::from_secs(15);

/// An extension that has registered.
#[derive(Debug)]
#[non_exhaustive]
pub struct RegisteredExtension {
    /// The script name.
    pub script: String,
    /// The address that the extension registered, to which the platform posts invoke events.
    pub address: SocketAddr,
    /// The time from the start of the process to its registration.
    pub startup_duration: Duration,
    /// The ID of the process, and of its process group. `None` for an [attached](Platform::attach) extension.
    pub pid: Option<u32>,
}

impl Platform {
    /// Boots an executable under a script name, and waits until it registers.
    ///
    /// The executable gets a free port through the environment variable `FG_EXTENSION_PORT`, so that tests can run in
    /// parallel; see [`ExtensionCommand::lease_port`]. Use [`boot`](Self::boot) to pass arguments or environment
    /// variables.
    ///
    /// # Errors
    ///
    /// See [`boot`](Self::boot).
    ///
    /// # Cancel safety
    ///
    /// See [`boot`](Self::boot).
    pub async fn boot_bin(
        &self,
        script: impl Into<String>,
        program: impl Into<PathBuf>,
    ) -> Result<RegisteredExtension, Error> {
        self.boot(ExtensionCommand::new(script, program).lease_port())
            .await
    }

    /// Boots an extension, and waits until it registers.
    ///
    /// # Errors
    ///
    /// Returns an error if
    ///
    /// - the name is not a valid [`ScriptName`](crate::ScriptName), or an extension with this name is already booted,
    /// - ten extensions are already booted,
    /// - the extension needs a port, and none becomes free within two minutes,
    /// - the program cannot be started,
    /// - the program exits before it registers, or
    /// - the program does not register within 15 seconds.
    ///
    /// In the last two cases the source of the error is what the program printed, and [`Error::process_exit`] returns
    /// how it exited.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the process is killed, and the script name can be used again.
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

    /// Waits until a process that you start yourself, for example in a debugger, registers under this script name. There
    /// is no timeout.
    ///
    /// Start the process with the variables of [`environment`](Self::environment). The platform posts invoke events and
    /// telemetry to it, but does not capture its output, freeze it, or stop it. A process that registers under the name later
    /// replaces it, since a debugger starts a program again.
    ///
    /// # Errors
    ///
    /// Returns an error if the name is not a valid [`ScriptName`](crate::ScriptName), if an extension with this name is
    /// already booted, or if ten extensions are.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the script name can be used again.
    pub async fn attach(&self, script: impl Into<String>) -> Result<RegisteredExtension, Error> {
        let (script, start) = (script.into(), Instant::now());
        self.add_extension(&script)?;
        let remove = self
            .inner
            .update_on_drop(|state| state.remove_extension(&script));
        self.inner.state().attached.insert(script.clone());
        let registration = self.inner.wait_until(|state| state.registration(&script));
        let registration = self.inner.or_observer_panic(registration).await;
        remove.disarm();
        Ok(RegisteredExtension {
            script,
            address: registration.address,
            startup_duration: start.elapsed(),
            pid: None,
        })
    }

    /// Boots a custom-runtime function, and waits until it requests its first event. Without this call, the function is
    /// synthetic.
    ///
    /// `bootstrap` is the path of the executable. It runs in the directory that contains it, and uses the API at
    /// `$RUNTIME_API_ADDR` (D functiongraph_01_0406):
    ///
    /// 1. `GET /v1/runtime/invocation/request` waits for an event, and returns the payload. The response's header
    ///    `X-Cff-Request-Id` contains the ID of the invocation, and `X-CFF-Invoke-Type` is `sync` (I).
    /// 2. `POST /v1/runtime/invocation/response/{id}` or `/v1/runtime/invocation/error/{id}` completes the invocation.
    ///
    /// The function is initialized when it requests its first event: a custom runtime does its initialization itself, there
    /// is no request for it (D functiongraph_01_0406).
    ///
    /// [`InvokeResult::function`](crate::InvokeResult::function) contains the outcome of an invocation:
    ///
    /// - If the process exits, the invocations that it has received fail, and their
    ///   [response](crate::FunctionRun::response) says how it exited. The observer gets an
    ///   [`Event::FunctionExited`](crate::Event::FunctionExited). The process is started again for the next invocation (I).
    /// - An invocation times out after the [function's time-out](crate::PlatformBuilder::function_timeout), which starts when
    ///   the function receives the event. The process is then killed (I), and started again for the next invocation.
    ///
    /// # Errors
    ///
    /// Returns an error if a function is already booted, if the file cannot be executed, or if the process exits or does
    /// not request an event within the [init time-out](crate::PlatformBuilder::init_timeout). In the last two cases the source of the error is what the process printed,
    /// and [`Error::process_exit`] returns how it exited.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the process is killed, and the function is synthetic again.
    pub async fn boot_function(&self, bootstrap: impl Into<PathBuf>) -> Result<(), Error> {
        self.boot_real_function(&bootstrap.into(), FunctionKind::CustomRuntime)
            .await
    }

    /// Boots an HTTP function, and waits until it listens on port 8000. Without this call, the function is synthetic.
    ///
    /// `bootstrap` is the path of the executable, which must serve HTTP on 127.0.0.1:8000 (D functiongraph_01_1442). It runs
    /// in the directory that contains it. The port is leased, so that tests can run in parallel.
    ///
    /// The payload of an invocation is an event of the API gateway, the only trigger of HTTP functions (D), such as
    /// `{"httpMethod": "GET", "path": "/orders"}`. Its fields `httpMethod`, `path`, `headers`, `queryStringParameters`,
    /// `body` and `isBase64Encoded` become a request (I). If fields are missing, it is `GET /` without a body (I). The request
    /// has the headers `X-CFF-Request-Id`, `X-CFF-Memory`, `X-CFF-Timeout`, `X-CFF-Func-Version`, `X-CFF-Func-Name`,
    /// `X-CFF-Project-Id`, `X-CFF-Package` and `X-CFF-Region` (D).
    ///
    /// [`InvokeResult::function`](crate::InvokeResult::function) contains the body and the status of the response. The
    /// platform passes them to the gateway as JSON, with the body in Base64 (D); the emulator has no gateway. A time-out or an
    /// exit is handled as in [`boot_function`](Self::boot_function).
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), fg_emulator::Error> {
    /// use fg_emulator::{InvokeRequest, Platform};
    ///
    /// let platform = Platform::start().await?;
    /// platform.boot_bin("extensionHello.sh", "target/debug/hello").await?;
    /// platform.boot_http_function("function/bootstrap").await?;
    ///
    /// let request = InvokeRequest::new().payload(r#"{"httpMethod": "GET", "path": "/orders"}"#);
    /// let invoked = platform.invoke_with(request).await?;
    /// assert_eq!(invoked.function.http_status, Some(200));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if another program uses port 8000, and in the same cases as
    /// [`boot_function`](Self::boot_function).
    ///
    /// # Cancel safety
    ///
    /// See [`boot_function`](Self::boot_function).
    pub async fn boot_http_function(&self, bootstrap: impl Into<PathBuf>) -> Result<(), Error> {
        self.boot_real_function(&bootstrap.into(), FunctionKind::Http)
            .await
    }

    async fn boot_real_function(&self, path: &Path, kind: FunctionKind) -> Result<(), Error> {
        self.inner
            .or_observer_panic(self.boot_bootstrap(path, kind))
            .await
    }

    async fn boot_bootstrap(&self, path: &Path, kind: FunctionKind) -> Result<(), Error> {
        if !self.inner.update(|state| state.runtime.claim()) {
            return Err(Error::new(
                "cannot boot a second function: an instance runs one function",
            ));
        }
        let release = self
            .inner
            .update_on_drop(|state| state.runtime = Default::default());
        let bootstrap = Bootstrap::start(path, kind, &self.inner).await?;
        *self.lock_function() = Some(Arc::new(bootstrap));
        release.disarm();
        Ok(())
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
        let mut executable = command.executable(self.directory.path())?;
        executable.envs(self.inner.environment());
        for (name, value) in &command.environment {
            match value {
                Some(value) => executable.env(name, value),
                None => executable.env_remove(name),
            };
        }
        let start = Instant::now();
        self.inner.state().process_started(script, start);
        let kind = TelemetryType::Extension;
        let mut process = Process::spawn(script, executable, kind, ports, &self.inner).await?;
        let registered = self.inner.wait_until(|state| state.registration(script));
        let outcome = tokio::time::timeout(BOOT_TIMEOUT, select(registered, process.wait())).await;
        let registration = match outcome {
            Ok(Either::First(registration)) => Some(registration),
            // It may have registered just before it exited.
            Ok(Either::Second(_)) | Err(_) => self.inner.state().registration(script),
        };
        if let Some(Registration { address, at, .. }) = registration {
            let registered = RegisteredExtension {
                script: script.clone(),
                address,
                startup_duration: at.duration_since(start),
                pid: process.id(),
            };
            self.processes().insert(script.clone(), process);
            // `wait_for_exit` must poll this process, too.
            self.inner.notify_waiters();
            return Ok(registered);
        }
        let exit = process.stop(GRACE_PERIOD).await?;
        let message = match outcome {
            Ok(_) => format!(
                "{script} {} before it registered",
                describe_exit(exit.status)
            ),
            Err(_) => match self.inner.state().last_rejection.take() {
                // The registration may be another extension's: one with a wrong name does not show who sent it.
                Some(rejection) => format!(
                    "{script} did not register within {BOOT_TIMEOUT:?}; a registration was rejected: {rejection}"
                ),
                None => format!("{script} did not register within {BOOT_TIMEOUT:?}"),
            },
        };
        Err(self.inner.exit_error(message, exit))
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
        let silent = "extensionNightWatch.sh did not register within 15s";
        assert_eq!(error.to_string(), silent);

        let address = Some("127.0.0.1:8081");
        let registered = platform.inner.register(Some("extensionWatch.sh"), address);
        assert!(registered.is_err());
        let error = platform.boot(boot()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{silent}; a registration was rejected: no script `extensionWatch.sh` was booted"
            )
        );
    }

    #[tokio::test]
    async fn extension_finds_user_data_in_its_environment() {
        let builder = Platform::builder().user_data("A", "1").user_data("B", "2");
        let platform = builder.start().await.unwrap();
        let boot = ExtensionCommand::new("extensionNightWatch.sh", "sh");
        let boot = boot.arg("-c").arg("echo $RUNTIME_USERDATA; exit 3");
        let error = platform.boot(boot).await.unwrap_err();
        let exit = error.process_exit().unwrap();
        assert_eq!(exit.stdout(), "{\"A\":\"1\",\"B\":\"2\"}\n");
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
            "extensionNightWatch.sh exited with status 3 before it registered: no stars"
        );
    }
}
