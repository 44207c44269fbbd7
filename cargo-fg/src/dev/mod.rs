//! `cargo fg dev`: an instance that is booted, invoked, and booted again when its extensions were rebuilt.

mod dev_loop;
mod event;
mod event_bridge;
mod fault_spec;
mod file_watcher;
mod instance;
mod keyboard;
mod output;
mod recording;
mod schedule;
mod timeline;
mod watch_set;

use std::sync::Arc;

use anyhow::anyhow;

use self::dev_loop::DevLoop;
use crate::boot::BootSet;
use crate::signals::ShutdownSignals;

pub(crate) use self::event::DevEvent;
pub(crate) use self::fault_spec::FaultSpec;
pub(crate) use self::instance::InstanceConfig;
pub(crate) use self::output::{Output, OutputStyle};
pub(crate) use self::recording::{Recorder, Recording, RecordingHeader};
pub(crate) use self::schedule::Schedule;

/// What `dev` was asked to do.
pub(crate) struct DevPlan {
    pub(crate) config: InstanceConfig,
    pub(crate) schedule: Schedule,
    /// What was built.
    pub(crate) boot_set: BootSet,
    /// Builds it again.
    pub(crate) rebuild: Rebuild,
    pub(crate) recorder: Option<Recorder>,
    /// Whether files that are saved cause a build and a boot.
    pub(crate) watches_files: bool,
    /// Whether the terminal's keys control it.
    pub(crate) reads_keys: bool,
    pub(crate) output: Output,
}

/// Builds the extensions again.
pub(crate) type Rebuild = Arc<dyn Fn() -> anyhow::Result<BootSet> + Send + Sync>;

/// Runs until a signal or a key ends it, or all invocations were sent.
pub(crate) async fn run(plan: DevPlan) -> anyhow::Result<()> {
    let faults = plan.config.faults.clone();
    // Before the mode of the terminal is changed, so that it is restored however this ends.
    let signals = ShutdownSignals::listen()?;
    let outcome = DevLoop::new(plan)?.run(signals).await;
    outcome.map_err(|error| match faults {
        Some(faults) => anyhow!("{error:#}; the same faults again: {faults}"),
        None => error,
    })
}
