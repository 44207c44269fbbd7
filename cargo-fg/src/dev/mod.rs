//! `cargo fg dev`: boots an instance, invokes the function, and rebuilds and boots again when a file is saved.

mod batch;
mod conflicts;
mod dev_loop;
mod event;
mod event_bridge;
mod fault_spec;
mod file_watcher;
mod http_port;
mod instance;
mod journal_entries;
mod keyboard;
mod loop_detector;
mod output;
mod page;
mod recorder;
mod recording;
mod saved_files;
mod schedule;
mod telemetry_body;
mod timeline;
mod watch_set;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use self::dev_loop::DevLoop;
use crate::boot::BootSet;
use crate::signals::ShutdownSignals;
use crate::ui::PagePort;

pub(crate) use self::event::DevEvent;
pub(crate) use self::fault_spec::FaultSpec;
pub(crate) use self::http_port::check as check_http_port;
pub(crate) use self::instance::{InstanceConfig, RealFunction};
pub(crate) use self::output::{Output, OutputStyle};
pub(crate) use self::recorder::Recorder;
pub(crate) use self::recording::{Recording, RecordingHeader};
pub(crate) use self::schedule::Schedule;

/// The parsed arguments of `cargo fg dev`, with the extensions built.
pub(crate) struct DevPlan {
    pub(crate) config: InstanceConfig,
    pub(crate) schedule: Schedule,
    /// The extensions of the first instance.
    pub(crate) boot_set: BootSet,
    /// A directory in the workspace of the extensions, by which `cargo fg invoke` finds this `dev`.
    pub(crate) directory: PathBuf,
    /// When the build of these extensions started.
    pub(crate) build_start: SystemTime,
    pub(crate) rebuild: Rebuild,
    pub(crate) recorder: Option<Recorder>,
    /// Whether a saved file causes a build and a boot.
    pub(crate) watches_files: bool,
    /// Whether `dev` runs on a terminal from which it can read keys.
    pub(crate) has_keys: bool,
    /// Whether keys control the run. After a run with a page, they are read in any case.
    pub(crate) reads_keys: bool,
    /// Where to serve the page from the start.
    pub(crate) page_port: Option<PagePort>,
    /// The file to which the page is written at the end.
    pub(crate) export: Option<PathBuf>,
    pub(crate) output: Output,
}

/// A function that builds the extensions again. It blocks.
pub(crate) type Rebuild = Arc<dyn Fn() -> anyhow::Result<BootSet> + Send + Sync>;

/// Runs until one of the signals arrives, `q` is pressed, stdout is closed, or the last scheduled invocation has finished.
///
/// # Errors
///
/// Returns an error if an invocation or a boot fails, or if an extension exits unexpectedly or does not shut down
/// cleanly. If faults were injected, the message ends with the options that inject them again.
pub(crate) async fn run(plan: DevPlan, signals: ShutdownSignals) -> anyhow::Result<()> {
    DevLoop::new(plan)?.run(signals).await
}
