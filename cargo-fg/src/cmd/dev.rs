//! `cargo fg dev`: build, boot, invoke, stop.

use std::fs::File;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use fg_emulator::Faults;

use super::{Format, variable};
use crate::dev::{self, Header, Output, Plan, Recorder, Recording, Schedule, Setup, Style, Told};
use crate::subject::Subject;

/// Between two invocations, where nobody can press keys.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Boot this beside it, a package or extensionOther.sh=COMMAND (repeatable)
    #[arg(long, value_name = "WHAT")]
    also: Vec<String>,
    /// Stop after so many invocations, sent one after the other
    #[arg(long, value_name = "N")]
    invocations: Option<u64>,
    /// Invoke so often until Ctrl-C, as in 200ms; where there are no keys to press, 1s by default
    #[arg(long, value_name = "DURATION")]
    interval: Option<humantime::Duration>,
    /// Invoke a real function: the bootstrap of a custom runtime
    #[arg(long, value_name = "FILE")]
    function: Option<PathBuf>,
    /// Freeze the instance after each invocation; the next one thaws it
    #[arg(long)]
    freeze: bool,
    /// Inject faults, as in register-503*2,event-duplicate,freeze=0.3
    #[arg(long, value_name = "FAULTS")]
    fault: Option<String>,
    /// Seed of the faults, to have the same again
    #[arg(long, value_name = "N", requires = "fault")]
    seed: Option<u64>,
    /// Write the invocations to a file
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Send the invocations of such a file again, then stop
    #[arg(long, value_name = "FILE", conflicts_with_all = ["invocations", "interval", "freeze", "fault"])]
    replay: Option<PathBuf>,
    /// Set a variable for the extensions (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Do not start the extension: print its environment, and wait for your debugger to start it
    #[arg(long, conflicts_with = "cmd")]
    attach: bool,
    /// How to tell what happens
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    output: Format,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the tokio runtime")?;
    let plan = plan(arguments)?;
    let outcome = runtime.block_on(dev::run(plan));
    // A build that is still running is not waited for.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

fn plan(arguments: Arguments) -> anyhow::Result<Plan> {
    let stdout_is_terminal = std::io::stdout().is_terminal();
    let style = match arguments.output {
        Format::Json => Style::Json,
        Format::Human if stdout_is_terminal => Style::Terminal,
        Format::Human => Style::Plain,
    };
    // A terminal that is not ours has keys for somebody else.
    let is_ours = || File::open("/dev/tty").is_ok();
    let has_keys = style == Style::Terminal && std::io::stdin().is_terminal() && is_ours();
    let replayed = arguments.replay.as_deref().map(Recording::read);
    let replayed = replayed.transpose()?;
    let header = replayed.as_ref().map(|recording| recording.header.clone());
    let faults = match &header {
        Some(header) => header.faults(),
        None => faults(&arguments),
    };
    if let Some((spec, seed)) = &faults {
        // What is wrong with them is told before anything is built.
        Faults::parse(spec, *seed)?;
    }
    if let Some(function) = &arguments.function {
        let cannot = || format!("cannot find the function {}", function.display());
        std::fs::metadata(function).with_context(cannot)?;
    }
    let freeze = arguments.freeze || header.as_ref().is_some_and(|header| header.freeze);
    let schedule = match replayed {
        Some(recording) => Schedule::replay(recording.entries),
        None => schedule(&arguments, has_keys),
    };
    let interactive = has_keys && !schedule.ends();

    let attach = match arguments.attach {
        true => Some(arguments.subject.script_to_attach()?),
        false => None,
    };
    let watches = !schedule.ends() && attach.is_none();
    let (subject, also) = (arguments.subject, arguments.also);
    let subject = attach.is_none().then_some(subject);
    let build: dev::Build = Arc::new(move || dev::prepare(subject.as_ref(), &also));
    let subjects = build()?;
    let mut scripts = subjects.scripts();
    scripts.extend(attach.clone());
    scripts.iter().try_for_each(|script| is_script(script))?;

    let output = Output::new(style, scripts.len() > 1);
    if let (Some(file), Some(header)) = (&arguments.replay, &header) {
        output.tell(Told::Replay {
            file: file.display().to_string(),
            scripts: &header.scripts,
        });
    }
    let recorder = match &arguments.record {
        Some(path) => {
            let header = Header::new(scripts, faults.clone(), freeze);
            Some(Recorder::create(path, &header)?)
        }
        None => None,
    };
    Ok(Plan {
        setup: Setup {
            faults,
            freeze,
            environment: arguments.env,
            function: arguments.function,
            attach,
        },
        schedule,
        subjects,
        build,
        recorder,
        watches,
        interactive,
        output,
    })
}

/// D 2705. Told before anything boots, or an environment is printed that is of no use.
fn is_script(name: &str) -> anyhow::Result<()> {
    if !name.starts_with("extension") || !name.ends_with(".sh") || name.contains('/') {
        bail!("`{name}` is no script name: it begins with `extension` and ends in `.sh`");
    }
    Ok(())
}

/// As they are written, and the seed.
fn faults(arguments: &Arguments) -> Option<(String, u64)> {
    let random = || u64::from(uuid::Uuid::new_v4().as_fields().0);
    let spec = arguments.fault.clone()?;
    Some((spec, arguments.seed.unwrap_or_else(random)))
}

fn schedule(arguments: &Arguments, has_keys: bool) -> Schedule {
    let interval = match (arguments.interval, arguments.invocations) {
        (Some(interval), _) => interval.into(),
        (None, Some(_)) => Duration::ZERO,
        (None, None) if has_keys => return Schedule::Once { due: false },
        (None, None) => INTERVAL,
    };
    Schedule::steady(arguments.invocations, interval)
}
