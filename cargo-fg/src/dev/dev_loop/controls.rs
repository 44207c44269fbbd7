//! What keys and the page do: one implementation for both, as methods of the loop.

use anyhow::bail;

use super::super::batch::Batch;
use super::super::event::DevEvent;
use super::super::fault_spec::FaultSpec;
use super::super::keyboard::{self, Key};
use super::super::page::PageEvent;
use super::DevLoop;
use super::builds::BuildCause;
use crate::invocation::{FunctionKind, InvocationSpec};
use crate::ui::{
    BatchSpec, Executed, InstanceState, PageCommand, PageMode, PagePort, PageReply, PageRequest,
    PageState,
};

/// The number of invocations that can be in flight when the page requests another one.
const MAX_IN_FLIGHT: usize = 1_000;

/// The reason why a command cannot be executed now.
enum Unavailable {
    NoInstance,
    Booting,
    /// An attached process has not registered.
    Attaching(String),
    Building,
    /// Other invocations are being sent.
    Sending,
    TooManyInFlight,
}

impl DevLoop {
    /// Handles all keys but [`Key::Quit`].
    pub(super) async fn handle_key(&mut self, key: &Key) -> anyhow::Result<()> {
        let is_frozen = self.instance.as_ref().is_some_and(|it| it.is_frozen());
        let command = match key {
            Key::Invoke => PageCommand::Invoke(BatchSpec::one(InvocationSpec::default())),
            Key::Freeze if is_frozen => PageCommand::Thaw,
            Key::Freeze => PageCommand::Freeze,
            Key::Shutdown => PageCommand::ShutDown,
            Key::Rebuild => PageCommand::Rebuild,
            Key::Telemetry => {
                let shown = self.output.toggle_telemetry();
                let message = if shown { "is shown" } else { "is hidden" };
                self.output.note("telemetry", message);
                return Ok(());
            }
            Key::Page => return self.open_page().await,
            Key::Help => {
                self.output.note("keys", keyboard::HELP);
                return Ok(());
            }
            Key::Quit => return Ok(()),
        };
        match self.execute(command).await? {
            Err(Unavailable::NoInstance) => self.note_waiting(),
            Err(Unavailable::Booting | Unavailable::Attaching(_)) => self
                .output
                .note("waiting", "for the extensions to register"),
            Err(Unavailable::Building) => self.output.note("waiting", "for the build to finish"),
            Err(reason) => self.output.warn(&reason.message()),
            Ok(_) => {}
        }
        Ok(())
    }

    /// Executes a command of the page, and replies to it.
    pub(super) async fn handle_page_event(&mut self, event: PageEvent) -> anyhow::Result<()> {
        let PageRequest { command, reply } = match event {
            PageEvent::Request(request) => request,
            PageEvent::BrowserFailed => {
                self.note_browser_failure();
                return Ok(());
            }
        };
        let (response, outcome): (PageReply, _) = match self.execute(command).await {
            Ok(Ok(executed)) => (Ok(executed), Ok(())),
            Ok(Err(reason)) => (Err(reason.message()), Ok(())),
            Err(error) => (Err(format!("{error:#}")), Err(error)),
        };
        // This fails if the client has disconnected.
        let _ = reply.send(response);
        outcome
    }

    async fn execute(
        &mut self,
        command: PageCommand,
    ) -> anyhow::Result<Result<Executed, Unavailable>> {
        let done = Ok(Ok(Executed::Done {}));
        match command {
            PageCommand::Rebuild if self.pending_build.is_some() => {
                return Ok(Err(Unavailable::Building));
            }
            PageCommand::Rebuild => {
                self.start_build(BuildCause::Key);
                return done;
            }
            PageCommand::SetFaults(spec) => return Ok(Ok(self.set_faults(spec)?)),
            PageCommand::StopInvocations => {
                if let Some(batch) = &mut self.batch {
                    batch.stop();
                }
                return done;
            }
            _ => {}
        }
        let Some(instance) = &mut self.instance else {
            return Ok(Err(Unavailable::NoInstance));
        };
        if let PageCommand::ShutDown = command {
            self.shut_down_instance().await?;
            self.note_waiting();
            return done;
        }
        if !instance.is_up() {
            return Ok(Err(match instance.awaited_script() {
                Some(script) => Unavailable::Attaching(script.to_owned()),
                None => Unavailable::Booting,
            }));
        }
        match command {
            PageCommand::Freeze => instance.freeze(),
            PageCommand::Thaw => instance.thaw(),
            PageCommand::Invoke(_) if instance.in_flight() >= MAX_IN_FLIGHT => {
                return Ok(Err(Unavailable::TooManyInFlight));
            }
            PageCommand::Invoke(BatchSpec { spec, count: 1, .. }) => self.send(spec, None),
            PageCommand::Invoke(_) if self.batch.is_some() => {
                return Ok(Err(Unavailable::Sending));
            }
            PageCommand::Invoke(spec) => self.batch = Some(Batch::new(spec)),
            PageCommand::Rebuild
            | PageCommand::SetFaults(_)
            | PageCommand::StopInvocations
            | PageCommand::ShutDown => {}
        }
        done
    }

    /// Replaces the faults that this instance and later ones inject.
    fn set_faults(&mut self, spec: String) -> anyhow::Result<Executed> {
        let random = || u64::from(uuid::Uuid::new_v4().as_fields().0);
        let seed = self.faults.as_ref().map(|faults| faults.seed);
        let faults = (!spec.is_empty()).then(|| FaultSpec {
            spec,
            seed: seed.unwrap_or_else(random),
        });
        if let Some(instance) = &self.instance {
            instance.set_faults(match &faults {
                Some(faults) => faults.parse()?,
                None => fg_emulator::Faults::default(),
            });
        }
        self.output.emit(match &faults {
            Some(FaultSpec { spec, seed }) => DevEvent::Faults {
                spec,
                seed: Some(*seed),
            },
            None => DevEvent::Faults {
                spec: "",
                seed: None,
            },
        });
        self.faults = faults;
        let (faults, seed) = self.faults_and_seed();
        Ok(Executed::Faults { faults, seed })
    }

    fn faults_and_seed(&self) -> (String, Option<u64>) {
        let faults = self.faults.clone();
        let (faults, seed) = faults.map(|FaultSpec { spec, seed }| (spec, seed)).unzip();
        (faults.unwrap_or_default(), seed)
    }

    /// Opens the page in the browser, and starts its server first if it does not run.
    async fn open_page(&mut self) -> anyhow::Result<()> {
        let port = PagePort {
            fixed: None,
            reserved: self.config.api_port,
        };
        if !self.page.is_served()
            && let Err(error) = self.serve_page(port).await
        {
            self.output.warn(&format!("{error:#}"));
        }
        if let Some(url) = self.page.url() {
            self.page.open_browser(url);
        }
        Ok(())
    }

    /// Starts the server of the page, and prints its address.
    pub(super) async fn serve_page(&mut self, port: PagePort) -> anyhow::Result<()> {
        self.page.serve(port).await?;
        self.page.publish(self.state());
        match self.page.url() {
            Some(url) => self.output.emit(DevEvent::Page { url: &url }),
            None => bail!("cannot serve the page"),
        }
        Ok(())
    }

    /// Prints what to do if no browser could be opened.
    pub(super) fn note_browser_failure(&self) {
        if let Some(url) = self.page.url() {
            let message = format!("no browser could be opened here; open {url} in one");
            self.output.note("page", &message);
        }
    }

    /// Returns the state that the page shows.
    pub(super) fn state(&self) -> PageState {
        let (faults, seed) = self.faults_and_seed();
        PageState {
            mode: PageMode::Dev,
            instance: match &self.instance {
                _ if self.has_ended => InstanceState::Ended,
                None => InstanceState::None,
                Some(instance) if instance.is_up() => InstanceState::Up,
                Some(_) => InstanceState::Booting,
            },
            frozen: self.instance.as_ref().is_some_and(|it| it.is_frozen()),
            // A build that is still running at the end does not lead to another instance.
            building: self.pending_build.is_some() && !self.has_ended,
            batch: self.batch.as_ref().map(Batch::progress),
            faults,
            seed,
            synthetic: self.config.function_kind() == FunctionKind::Synthetic,
        }
    }
}

impl Unavailable {
    fn message(&self) -> String {
        match self {
            Self::NoInstance => "no instance is running; rebuild to boot one".to_owned(),
            Self::Booting => {
                "the instance is booting; wait until the extensions have registered".to_owned()
            }
            Self::Attaching(script) => {
                format!(
                    "{script} has not registered; start it with the variables that dev has printed"
                )
            }
            Self::Building => "a build is running; wait until it has finished".to_owned(),
            Self::Sending => {
                "other invocations are being sent; wait until they have finished, or stop them"
                    .to_owned()
            }
            Self::TooManyInFlight => {
                format!("{MAX_IN_FLIGHT} invocations are in flight; wait until some have finished")
            }
        }
    }
}
