//! `cargo fg dev`: an instance that is booted, invoked, and booted anew when its extensions were rebuilt.

mod feed;
mod inputs;
mod keys;
mod output;
mod record;
mod schedule;
mod session;
mod subjects;
mod timeline;
mod told;
mod watch;

use std::collections::BTreeSet;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use fg_emulator::ProcessExit;
use tokio::task::JoinHandle;

use self::inputs::Inputs;
use self::keys::{Key, Keys};
use self::session::{Happened, Reply, Session};
use self::watch::Watch;
use crate::control::{Control, Request};
use crate::order::Order;
use crate::stop::Stop;

pub(crate) use self::output::{Output, Style};
pub(crate) use self::record::{Header, Recorder, Recording};
pub(crate) use self::schedule::Schedule;
pub(crate) use self::session::Setup;
pub(crate) use self::subjects::{Subjects, prepare};
pub(crate) use self::told::Told;

/// What `dev` was asked to do.
pub(crate) struct Plan {
    pub(crate) setup: Setup,
    pub(crate) schedule: Schedule,
    /// What was built, and how to build it again.
    pub(crate) subjects: Subjects,
    pub(crate) build: Build,
    pub(crate) recorder: Option<Recorder>,
    /// Whether what is saved is built and booted.
    pub(crate) watches: bool,
    /// Whether there are keys.
    pub(crate) interactive: bool,
    pub(crate) output: Output,
}

const NO_INSTANCE: &str =
    "cargo fg dev has no instance at the moment: save a file, or press r in its terminal";

pub(crate) type Build = Arc<dyn Fn() -> anyhow::Result<Subjects> + Send + Sync>;

struct Dev {
    setup: Arc<Setup>,
    schedule: Schedule,
    subjects: Subjects,
    build: Build,
    recorder: Option<Recorder>,
    output: Arc<Output>,
    instance: Option<Session>,
    watch: Option<Watch>,
    keys: Option<Keys>,
    control: Option<Control>,
    /// Invocations that wait for the instance.
    requests: Vec<Request>,
    building: Option<Building>,
    sent: u64,
    failed: u64,
}

struct Building {
    task: JoinHandle<anyhow::Result<Subjects>>,
    /// Boot the same program again.
    forced: bool,
}

/// Until somebody ends it, or all was sent.
pub(crate) async fn run(plan: Plan) -> anyhow::Result<()> {
    let faults = plan.setup.faults.clone();
    // Before the terminal is changed: whatever ends us gives it back.
    let stop = Stop::listen()?;
    let outcome = Dev::new(plan)?.run(stop).await;
    outcome.map_err(|error| match faults {
        Some((spec, seed)) => {
            let spec = shell_words::quote(&spec);
            anyhow!("{error:#}; the same faults again: --fault {spec} --seed {seed}")
        }
        None => error,
    })
}

impl Dev {
    fn new(plan: Plan) -> anyhow::Result<Self> {
        let output = Arc::new(plan.output);
        let mut scripts = plan.subjects.scripts();
        scripts.extend(plan.setup.attach.clone());
        let control = match Control::listen(scripts, plan.setup.function.is_none()) {
            Ok(control) => Some(control),
            Err(error) => {
                output.warn(&format!("cargo fg invoke will not find this: {error:#}"));
                None
            }
        };
        let mut dev = Self {
            setup: Arc::new(plan.setup),
            schedule: plan.schedule,
            subjects: plan.subjects,
            build: plan.build,
            recorder: plan.recorder,
            output,
            instance: None,
            watch: plan.watches.then(Watch::default),
            keys: plan.interactive.then(Keys::open).transpose()?,
            control,
            requests: Vec::new(),
            building: None,
            sent: 0,
            failed: 0,
        };
        dev.look_at_inputs();
        Ok(dev)
    }

    async fn run(mut self, mut stop: Stop) -> anyhow::Result<()> {
        if let Some((spec, seed)) = &self.setup.faults {
            self.output.tell(Told::Faults { spec, seed: *seed });
        }
        if self.keys.is_some() {
            self.output.note("keys", keys::HELP);
        }
        self.boot().await?;
        let outcome = self.until_the_end(&mut stop).await;
        let stopped = self.stop().await?;
        if let Err(error) = outcome {
            // What came of an end is no other mistake.
            let by_itself = stopped
                .iter()
                .find(|stopped| stopped.stop_duration.is_none());
            return Err(match by_itself {
                Some(ProcessExit { script, .. }) => ended(script),
                None => error,
            });
        }
        if !stopped.iter().all(ProcessExit::is_clean) {
            bail!("the extension did not end in order");
        }
        Ok(())
    }

    async fn until_the_end(&mut self, stop: &mut Stop) -> anyhow::Result<()> {
        loop {
            if self.is_done() {
                return match self.failed {
                    0 => Ok(()),
                    failed => Err(anyhow!("{failed} of {} invocations failed", self.sent)),
                };
            }
            self.serve_requests()?;
            let (is_up, is_idle) = match &self.instance {
                Some(session) => (session.is_up(), session.is_idle()),
                None => (false, false),
            };
            tokio::select! {
                () = stop.requested() => return Ok(()),
                () = self.output.closed() => return Ok(()),
                key = next_key(&mut self.keys) => match key {
                    Key::Quit => return Ok(()),
                    key => self.press(&key).await?,
                },
                paths = saved(&self.watch), if self.building.is_none() => self.changed(&paths),
                built = finished(&mut self.building) => self.built(built).await?,
                request = next_request(&mut self.control) => self.requests.push(request),
                happened = next_of(&mut self.instance) => self.instance_tells(happened?).await?,
                order = self.schedule.next(is_idle), if is_up => self.send(order, None)?,
            }
        }
    }

    fn is_done(&self) -> bool {
        let session = self.instance.as_ref();
        session.is_some_and(|session| session.is_up() && session.is_idle())
            && self.schedule.is_over()
    }

    async fn boot(&mut self) -> anyhow::Result<()> {
        let (setup, output) = (Arc::clone(&self.setup), Arc::clone(&self.output));
        let session = Session::start(setup, self.subjects.boots(), output).await?;
        self.instance = Some(session);
        Ok(())
    }

    /// Ends the instance, if there is one.
    async fn stop(&mut self) -> anyhow::Result<Vec<ProcessExit>> {
        match self.instance.take() {
            Some(session) => session.stop().await,
            None => Ok(Vec::new()),
        }
    }

    async fn instance_tells(&mut self, happened: Happened) -> anyhow::Result<()> {
        let can_wait = self.watch.is_some() || self.keys.is_some();
        match happened {
            Happened::Booted(Ok(())) => self.schedule.booted(),
            Happened::Booted(Err(error)) => {
                if !can_wait {
                    return Err(error);
                }
                let message = format!("{error:#}");
                self.output.tell(Told::Failed { message });
                self.stop().await?;
                self.note_waiting();
            }
            Happened::Invoked(ok) => self.failed += u64::from(!ok),
            Happened::Ended(script) => {
                self.stop().await?;
                if !can_wait {
                    return Err(ended(&script));
                }
                self.note_waiting();
            }
        }
        Ok(())
    }

    fn note_waiting(&self) {
        let what = match (&self.watch, &self.keys) {
            (Some(_), Some(_)) => "for a file to be saved; r boots it again",
            (Some(_), None) => "for a file to be saved",
            (None, _) => "for r, which boots it again",
        };
        self.output.note("waiting", what);
    }

    fn send(&mut self, mut order: Order, reply: Option<Reply>) -> anyhow::Result<()> {
        let Some(session) = &mut self.instance else {
            return Ok(());
        };
        self.sent += 1;
        let fresh = || uuid::Uuid::new_v4().to_string();
        let trace_id = order.trace_id.get_or_insert_with(fresh).clone();
        if let Some(recorder) = &mut self.recorder {
            recorder.note(order.clone())?;
        }
        session.invoke(self.sent, order, trace_id, reply);
        Ok(())
    }

    /// Sends what `cargo fg invoke` wants, as soon as there is an instance.
    fn serve_requests(&mut self) -> anyhow::Result<()> {
        match &self.instance {
            Some(session) if session.is_up() => {
                for Request { order, reply } in std::mem::take(&mut self.requests) {
                    self.send(order, Some(reply))?;
                }
            }
            None if self.building.is_none() => {
                for Request { reply, .. } in self.requests.drain(..) {
                    let _ = reply.send(Err(NO_INSTANCE.to_owned()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn press(&mut self, key: &Key) -> anyhow::Result<()> {
        match (key, &mut self.instance) {
            (Key::Invoke | Key::Freeze, Some(session)) if !session.is_up() => {
                self.output.note("waiting", "for it to register");
            }
            (Key::Invoke, Some(_)) => self.send(Order::default(), None)?,
            (Key::Freeze, Some(session)) => session.toggle_freeze(),
            (Key::Shutdown, Some(_)) => {
                self.stop().await?;
                self.note_waiting();
            }
            (Key::Invoke | Key::Freeze | Key::Shutdown, None) => self.note_waiting(),
            (Key::Rebuild, _) => self.rebuild(true),
            (Key::Telemetry, _) => {
                let shown = self.output.toggle_telemetry();
                let what = if shown { "is shown" } else { "is not shown" };
                self.output.note("telemetry", what);
            }
            (Key::Help, _) => self.output.note("keys", keys::HELP),
            // It is the loop's.
            (Key::Quit, _) => {}
        }
        Ok(())
    }

    fn changed(&mut self, paths: &BTreeSet<PathBuf>) {
        let here = std::env::current_dir().unwrap_or_default();
        let relative = |path: &PathBuf| {
            let relative: &Path = path.strip_prefix(&here).unwrap_or(path);
            relative.display().to_string()
        };
        let paths = paths.iter().map(relative).collect();
        self.output.tell(Told::Changed { paths });
        // What a build fails without may come back where a folder was.
        self.look_at_inputs();
        self.rebuild(false);
    }

    fn rebuild(&mut self, forced: bool) {
        if self.building.is_none() {
            let build = Arc::clone(&self.build);
            let task = tokio::task::spawn_blocking(move || build());
            self.building = Some(Building { task, forced });
        }
    }

    async fn built(&mut self, building: Built) -> anyhow::Result<()> {
        let subjects = match building.outcome {
            Ok(subjects) => subjects,
            Err(error) => {
                let rest = match self.instance {
                    None => "",
                    Some(_) => "; the instance goes on as it is",
                };
                let message = format!("{error:#}{rest}");
                self.output.tell(Told::Failed { message });
                return Ok(());
            }
        };
        let is_same = subjects.are_as(&self.subjects) && !building.forced;
        if is_same && self.instance.is_some() {
            self.output.tell(Told::Unchanged);
            return Ok(());
        }
        // The old one before the new one, for its ports and for the files that it was unpacked into.
        self.stop().await?;
        self.subjects = subjects;
        self.look_at_inputs();
        self.boot().await
    }

    fn look_at_inputs(&mut self) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        let inputs = Inputs::of(&self.subjects, self.setup.function.as_deref());
        if let Err(error) = watch.look_at(inputs) {
            // As where others have all the watches that there are; the rest goes on.
            let warning = format!("what is saved is not noticed: {error:#}");
            self.output.warn(&warning);
            self.watch = None;
        }
    }
}

fn ended(script: &str) -> anyhow::Error {
    anyhow!("{script} ended before it was asked to")
}

/// What came of a build.
struct Built {
    outcome: anyhow::Result<Subjects>,
    forced: bool,
}

async fn finished(building: &mut Option<Building>) -> Built {
    let Some(Building { task, forced }) = building else {
        return pending().await;
    };
    let outcome = task.await.context("the build was cut short");
    let built = Built {
        outcome: outcome.flatten(),
        forced: *forced,
    };
    *building = None;
    built
}

async fn next_of(instance: &mut Option<Session>) -> anyhow::Result<Happened> {
    match instance {
        Some(session) => session.next().await,
        None => pending().await,
    }
}

async fn next_key(keys: &mut Option<Keys>) -> Key {
    match keys {
        Some(keys) => keys.next().await,
        None => pending().await,
    }
}

async fn saved(watch: &Option<Watch>) -> BTreeSet<PathBuf> {
    match watch {
        Some(watch) => watch.saved().await,
        None => pending().await,
    }
}

async fn next_request(control: &mut Option<Control>) -> Request {
    match control {
        Some(control) => control.next().await,
        None => pending().await,
    }
}
