//! The event loop of `cargo fg dev`: owns all state, and handles one event at a time.

mod builds;
mod controls;
mod requests;
mod run_end;

use std::collections::BTreeSet;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use fg_emulator::{ProcessExit, describe_exit};

use self::builds::{PendingBuild, finished};
use super::batch::Batch;
use super::event::DevEvent;
use super::fault_spec::FaultSpec;
use super::file_watcher::FileWatcher;
use super::instance::{Instance, InstanceConfig, InstanceEvent};
use super::journal_entries;
use super::keyboard::{self, Key, Keyboard};
use super::output::Output;
use super::page::Page;
use super::recorder::Recorder;
use super::saved_files::SavedFiles;
use super::schedule::Schedule;
use super::{DevPlan, Rebuild};
use crate::boot::BootSet;
use crate::invocation::InvocationSpec;
use crate::ipc::{ControlServer, InvocationReply, InvocationRequest};
use crate::signals::ShutdownSignals;
use crate::ui::{PageMode, PagePort, PageState};

pub(super) struct DevLoop {
    config: Arc<InstanceConfig>,
    schedule: Schedule,
    boot_set: BootSet,
    rebuild: Rebuild,
    recorder: Option<Recorder>,
    output: Arc<Output>,
    instance: Option<Instance>,
    /// How many instances have been started.
    instances: u64,
    file_watcher: Option<FileWatcher>,
    saved_files: SavedFiles,
    keyboard: Option<Keyboard>,
    control_server: Option<ControlServer>,
    /// Invocations that `cargo fg invoke` has requested, queued until the instance has booted.
    requests: Vec<InvocationRequest>,
    page: Page,
    /// Whether to serve the page from the start.
    page_port: Option<PagePort>,
    /// Where to write the page at the end.
    export: Option<PathBuf>,
    /// Invocations that the page has requested together.
    batch: Option<Batch>,
    /// The faults that this instance and later ones inject.
    faults: Option<FaultSpec>,
    /// Whether keys can be read, even if the keyboard is not open.
    has_keys: bool,
    /// Whether no instance will be booted anymore.
    has_ended: bool,
    /// Whether the user has asked `dev` to exit.
    quits: bool,
    pending_build: Option<PendingBuild>,
    last_build_failed: bool,
    sent: u64,
    failed: u64,
}

impl DevLoop {
    pub(super) fn new(mut plan: DevPlan) -> anyhow::Result<Self> {
        let output = Arc::new(plan.output);
        let mut scripts = plan.boot_set.script_names();
        scripts.extend(plan.config.attach.clone());
        if let Some(journal) = output.journal() {
            journal_entries::start_session(journal, &plan.config, &scripts);
        }
        if let Some(recorder) = &mut plan.recorder {
            recorder.write_journal(&output);
        }
        let function = plan.config.function_kind();
        let control_server = match ControlServer::listen(scripts, function, &plan.directory) {
            Ok(server) => Some(server),
            Err(error) => {
                output.warn(&format!(
                    "cargo fg invoke cannot connect to this cargo fg dev: {error:#}"
                ));
                None
            }
        };
        let journal = output.journal().cloned();
        let state = PageState::without_controls(PageMode::Dev);
        let mut dev = Self {
            faults: plan.config.faults.clone(),
            config: Arc::new(plan.config),
            schedule: plan.schedule,
            boot_set: plan.boot_set,
            rebuild: plan.rebuild,
            recorder: plan.recorder,
            output,
            instance: None,
            instances: 0,
            file_watcher: plan.watches_files.then(FileWatcher::default),
            saved_files: SavedFiles::after_build(plan.build_start),
            keyboard: (plan.has_keys && plan.reads_keys)
                .then(Keyboard::open)
                .transpose()?,
            control_server,
            requests: Vec::new(),
            page: Page::new(journal, state),
            page_port: plan.page_port,
            export: plan.export,
            batch: None,
            has_keys: plan.has_keys,
            has_ended: false,
            quits: false,
            pending_build: None,
            last_build_failed: false,
            sent: 0,
            failed: 0,
        };
        dev.watch_files();
        Ok(dev)
    }

    /// Runs the instances, and then serves the page until the user exits if it was asked for.
    pub(super) async fn run(mut self, mut signals: ShutdownSignals) -> anyhow::Result<()> {
        if let Some(FaultSpec { spec, seed }) = &self.faults {
            let seed = Some(*seed);
            self.output.emit(DevEvent::Faults { spec, seed });
        }
        if let Some(port) = self.page_port {
            self.serve_page(port).await?;
        }
        if self.keyboard.is_some() {
            self.output.note("keys", keyboard::HELP);
            if !self.page.is_served() {
                let message = "press o to open a page that shows the instance";
                self.output.note("page", message);
            }
        }
        let outcome = self.run_instances(&mut signals).await;
        let outcome = outcome.map_err(|error| self.with_faults(error));
        let outcome = self.write_files(outcome).await;
        self.stay(&mut signals, &outcome).await;
        self.page.shut_down().await;
        outcome
    }

    /// Adds the options that inject the faults again to an error.
    fn with_faults(&self, error: anyhow::Error) -> anyhow::Error {
        match &self.faults {
            Some(faults) => {
                // The error of a boot contains the seed, which is also one of the options.
                let seed = format!(" (fault seed {})", faults.seed);
                let message = format!("{error:#}").replace(&seed, "");
                anyhow!("{message}; to inject the same faults again, use {faults}")
            }
            None => error,
        }
    }

    async fn run_instances(&mut self, signals: &mut ShutdownSignals) -> anyhow::Result<()> {
        self.boot().await?;
        // The files were not watched during the first build.
        self.handle_changes(self.saved_files.changed_during_build());
        let outcome = self.handle_events(signals).await;
        let conflicts = self.instance.as_ref().map(Instance::conflicts);
        if let Some(conflicts) = &conflicts {
            // While the extensions that own the ports are running.
            conflicts.look_up_owners();
        }
        let exits = self.shut_down_instance().await?;
        if let Err(error) = outcome {
            // If an extension exited unexpectedly, that is the cause of the other error.
            let unexpected = exits.iter().find(|exit| exit.stop_duration.is_none());
            return Err(match unexpected {
                Some(ProcessExit { script, .. }) => unexpected_exit(script),
                None => error,
            });
        }
        if let Some(exit) = exits.iter().find(|exit| !exit.is_clean()) {
            let (script, how) = (&exit.script, describe_exit(exit.status));
            bail!("{script} did not shut down cleanly: it {how}");
        }
        // It may have been found after the last invocation.
        if let Some(conflict) = conflicts.and_then(|conflicts| conflicts.take())
            && !self.can_wait()
        {
            bail!("{conflict}");
        }
        Ok(())
    }

    async fn handle_events(&mut self, signals: &mut ShutdownSignals) -> anyhow::Result<()> {
        loop {
            if self.is_done() {
                if let Some(instance) = &self.instance {
                    tokio::select! {
                        () = signals.recv() => {}
                        () = instance.wait_for_subscription() => {}
                    }
                }
                return match self.failed {
                    0 => Ok(()),
                    failed => Err(anyhow!("{failed} of {} invocations failed", self.sent)),
                };
            }
            self.serve_requests();
            self.send_batch();
            if self.page.is_served() {
                self.page.publish(self.state());
            }
            let (is_up, is_idle) = match &self.instance {
                Some(instance) => (instance.is_up(), instance.is_idle()),
                None => (false, false),
            };
            tokio::select! {
                () = signals.recv() => return self.quit(),
                () = self.output.closed() => return self.quit(),
                key = next_key(&mut self.keyboard) => match key {
                    Key::Quit => return self.quit(),
                    key => self.handle_key(&key).await?,
                },
                paths = changed_paths(&self.file_watcher), if self.pending_build.is_none() => {
                    self.handle_changes(paths);
                }
                build = finished(&mut self.pending_build) => self.handle_build(build).await?,
                request = next_request(&mut self.control_server) => self.requests.push(request),
                event = self.page.next_event() => self.handle_page_event(event).await?,
                () = finished_in_batch(&mut self.batch) => {}
                event = next_event(&mut self.instance) => self.handle_instance_event(event?).await?,
                spec = self.schedule.next(is_idle), if is_up => self.send(spec, None),
            }
        }
    }

    fn quit(&mut self) -> anyhow::Result<()> {
        self.quits = true;
        Ok(())
    }

    fn is_done(&self) -> bool {
        let instance = self.instance.as_ref().filter(|_| self.batch.is_none());
        instance.is_some_and(|instance| instance.is_up() && instance.is_idle())
            && self.schedule.is_over()
    }

    async fn boot(&mut self) -> anyhow::Result<()> {
        let (config, output) = (Arc::clone(&self.config), Arc::clone(&self.output));
        self.instances += 1;
        let (number, commands) = (self.instances, self.boot_set.commands());
        let faults = self.faults.as_ref();
        let instance = Instance::start(number, config, faults, commands, output).await?;
        self.instance = Some(instance);
        Ok(())
    }

    /// Shuts the instance down, if there is one, and returns how its extensions exited.
    async fn shut_down_instance(&mut self) -> anyhow::Result<Vec<ProcessExit>> {
        let exits = match self.instance.take() {
            Some(instance) => instance.shut_down().await,
            None => Ok(Vec::new()),
        };
        self.end_batch().await;
        exits
    }

    async fn handle_instance_event(&mut self, event: InstanceEvent) -> anyhow::Result<()> {
        let can_wait = self.can_wait();
        match event {
            InstanceEvent::Booted(Ok(())) => self.schedule.booted(),
            InstanceEvent::Booted(Err(error)) => {
                if !can_wait {
                    return Err(error);
                }
                let message = format!("{error:#}");
                self.output.emit(DevEvent::Failed { message });
                self.shut_down_instance().await?;
                self.note_waiting();
            }
            InstanceEvent::Invoked(ok) => self.failed += u64::from(!ok),
            // The loop sends the new state to the page.
            InstanceEvent::FrozenOrThawed => {}
            InstanceEvent::Exited(script) => {
                self.shut_down_instance().await?;
                if !can_wait {
                    return Err(unexpected_exit(&script));
                }
                self.note_waiting();
            }
            InstanceEvent::Conflict(message) => {
                if !can_wait {
                    bail!("{message}");
                }
                let message = format!("{message}; the current instance keeps running");
                self.output.emit(DevEvent::Failed { message });
            }
            InstanceEvent::TelemetryLoop(script) => self.output.warn(&format!(
                "{script} logs lines about the telemetry of its own lines, without an end; do not log for each event of \
                 the type `extension`, or do not subscribe to this type"
            )),
        }
        Ok(())
    }

    /// Returns whether the user can continue after a failure, by saving a file, pressing a key, or on the page.
    fn can_wait(&self) -> bool {
        let can_use_page = self.page.is_served() && !self.schedule.is_finite();
        self.file_watcher.is_some() || self.keyboard.is_some() || can_use_page
    }

    fn note_waiting(&self) {
        let has_page = self.page.is_served();
        let message = match (&self.file_watcher, &self.keyboard) {
            (Some(_), Some(_)) => "for a file to be saved; press r to rebuild and boot now",
            (Some(_), None) if has_page => "for a file to be saved, or for Rebuild on the page",
            (Some(_), None) => "for a file to be saved",
            (None, None) if has_page => "for Rebuild on the page",
            (None, _) => "for a key; press r to rebuild and boot",
        };
        self.output.note("waiting", message);
    }

    fn send(&mut self, mut spec: InvocationSpec, reply: Option<InvocationReply>) {
        let Some(instance) = &mut self.instance else {
            return;
        };
        self.sent += 1;
        let new_id = || uuid::Uuid::new_v4().to_string();
        let trace_id = spec.trace_id.get_or_insert_with(new_id).clone();
        if let Some(recorder) = &mut self.recorder {
            recorder.record(spec.clone());
        }
        instance.invoke(self.sent, spec, trace_id, reply);
    }
}

fn unexpected_exit(script: &str) -> anyhow::Error {
    anyhow!("{script} exited unexpectedly")
}

async fn next_event(instance: &mut Option<Instance>) -> anyhow::Result<InstanceEvent> {
    match instance {
        Some(instance) => instance.next_event().await,
        None => pending().await,
    }
}

async fn next_key(keyboard: &mut Option<Keyboard>) -> Key {
    match keyboard {
        Some(keyboard) => keyboard.next_key().await,
        None => pending().await,
    }
}

async fn changed_paths(file_watcher: &Option<FileWatcher>) -> BTreeSet<PathBuf> {
    match file_watcher {
        Some(file_watcher) => file_watcher.changed_paths().await,
        None => pending().await,
    }
}

async fn finished_in_batch(batch: &mut Option<Batch>) {
    match batch {
        Some(batch) => batch.wait().await,
        None => pending().await,
    }
}

async fn next_request(control_server: &mut Option<ControlServer>) -> InvocationRequest {
    match control_server {
        Some(control_server) => control_server.next_request().await,
        None => pending().await,
    }
}
