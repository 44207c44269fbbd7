//! The soak: extensions under load for an hour, with freezes and a collector that is slow or fails at times.
//!
//! At the end, memory, descriptors and threads must be flat, and what was acknowledged must have been delivered or
//! reported as lost.

mod collector;
mod events;
mod judge;
mod ledger;
mod load;
mod report;
mod schedule;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::Signal;

use self::collector::Collector;
use self::events::Numbering;
use self::ledger::Ledger;
use self::load::Load;
use self::report::Report;
use self::schedule::Schedule;
use crate::build::{Directories, package};
use crate::extension_process::{Exit, ExtensionProcess, Sample};
use crate::platform::Platform;

/// How long an extension may take to exit: more than its deadline, so that a late one can be reported.
const EXIT: Duration = Duration::from_secs(30);

/// How often the controller looks at the schedule.
const TICK: Duration = Duration::from_millis(20);

#[derive(clap::Args)]
pub(crate) struct SoakArguments {
    /// How long the load lasts
    #[arg(long, value_name = "MINUTES", default_value_t = 60.0)]
    minutes: f64,
    /// Telemetry events per second, for each extension
    #[arg(long, value_name = "EVENTS", default_value_t = 500)]
    rate: u64,
    /// Invocations per second, for each extension
    #[arg(long, value_name = "INVOCATIONS", default_value_t = 5)]
    invocations: u64,
    /// Extensions to run: telemetry-archive, otlp-forwarder (default: both)
    #[arg(long, value_name = "EXTENSIONS", value_delimiter = ',')]
    only: Vec<String>,
    /// Directory for the programs, the samples and the archive (default: target/benches/soak)
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// An extension that subscribes to telemetry.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Extension {
    Archive,
    Forwarder,
}

impl Extension {
    const ALL: [Self; 2] = [Self::Archive, Self::Forwarder];

    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::Archive => "telemetry-archive",
            Self::Forwarder => "otlp-forwarder",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Self::Archive => "extensionTelemetryArchive.sh",
            Self::Forwarder => "extensionOtlpForwarder.sh",
        }
    }
}

/// What was posted to an extension, and what arrived where it delivers to.
pub(crate) struct Items {
    extension: Extension,
    numbering: Numbering,
    /// Lines of the archive, or log records of the forwarder.
    pub(crate) events: Ledger,
    /// Spans of the forwarder, one per invocation.
    pub(crate) spans: Ledger,
}

impl Items {
    fn new(extension: Extension, numbering: Numbering) -> Self {
        Self {
            extension,
            numbering,
            events: Ledger::default(),
            spans: Ledger::default(),
        }
    }

    fn acknowledge(&mut self, event: u64) {
        if self.is_item(event) {
            self.events.acknowledge(event);
        }
        if let (Extension::Forwarder, Some(invocation)) =
            (self.extension, self.numbering.completed_by(event))
        {
            self.spans.acknowledge(invocation);
        }
    }

    fn leave_unanswered(&mut self, event: u64) {
        if self.is_item(event) {
            self.events.leave_unanswered();
        } else {
            // One span per invocation, but it may be that of a start or of an end.
            self.spans.leave_unanswered();
        }
    }

    /// Whether the event itself is delivered. The forwarder makes one span of the three platform events.
    fn is_item(&self, event: u64) -> bool {
        self.extension == Extension::Archive || self.numbering.is_log(event)
    }
}

pub(crate) fn run(arguments: &SoakArguments) -> anyhow::Result<ExitCode> {
    let extensions = selected(&arguments.only)?;
    ensure!(
        arguments.invocations > 0,
        "--invocations must be at least 1"
    );
    let per_invocation = arguments.rate / arguments.invocations;
    ensure!(
        per_invocation >= 4,
        "--rate must be at least 4 times --invocations"
    );
    let duration = Duration::try_from_secs_f64(arguments.minutes * 60.0)?;
    ensure!(
        duration >= Duration::from_secs(10),
        "a run shorter than 10 s shows nothing"
    );
    let plan = Plan {
        schedule: Schedule { duration },
        numbering: Numbering { per_invocation },
        rate: arguments.rate as f64,
        invocations: arguments.invocations as f64,
    };
    let directories = Directories::find()?;
    let output = match &arguments.output {
        Some(output) => std::path::absolute(output)?,
        None => directories.output().join("soak"),
    };
    fs::create_dir_all(&output)?;
    let mut scripts = Vec::new();
    for &extension in &extensions {
        let name = extension.package();
        eprintln!("   Packaging {name}");
        let to = output.join("stage").join(name);
        scripts.push((
            extension,
            package(&directories, name, extension.script(), &to)?.script,
        ));
    }
    println!(
        "{:.1} minutes with {} events and {} invocations per second for each extension; samples in {}",
        arguments.minutes,
        arguments.rate,
        arguments.invocations,
        output.display()
    );
    let runs: Vec<_> = scripts
        .into_iter()
        .map(|(extension, script)| {
            let output = output.clone();
            let run = move || soak(extension, &script, plan, &output);
            (extension.package(), thread::spawn(run))
        })
        .collect();
    let mut is_ok = true;
    for (name, run) in runs {
        let report = match run.join() {
            Ok(report) => report.with_context(|| format!("cannot soak {name}"))?,
            Err(_) => bail!("the soak of {name} panicked"),
        };
        println!("\n{}", report.text());
        is_ok &= report.failures().is_empty();
    }
    println!("{}", judge::RULE);
    println!("{}", if is_ok { "passed" } else { "FAILED" });
    Ok(if is_ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn selected(names: &[String]) -> anyhow::Result<Vec<Extension>> {
    if names.is_empty() {
        return Ok(Extension::ALL.to_vec());
    }
    let find = |name: &String| {
        let mut all = Extension::ALL.into_iter();
        let found = all.find(|it| it.package() == name);
        found.with_context(|| {
            format!("there is no `{name}`; choose from telemetry-archive, otlp-forwarder")
        })
    };
    names.iter().map(find).collect()
}

#[derive(Clone, Copy)]
struct Plan {
    schedule: Schedule,
    numbering: Numbering,
    rate: f64,
    invocations: f64,
}

impl Plan {
    /// Returns the size of the buffers of the forwarder, in bytes: less than arrives during an outage, so that each of them
    /// fills the buffer, and some items are dropped.
    fn buffer(&self) -> u64 {
        let arriving = self.rate * self.schedule.outage().as_secs_f64() * 100.0;
        (arriving as u64).clamp(32 << 10, 1 << 20)
    }
}

/// Runs one extension for the whole time.
fn soak(extension: Extension, script: &Path, plan: Plan, output: &Path) -> anyhow::Result<Report> {
    let items = Arc::new(Mutex::new(Items::new(extension, plan.numbering)));
    let collector = Collector::start(&items, plan.schedule.delay())?;
    let archive = output.join("archive.jsonl");
    let _ = fs::remove_file(&archive);
    let environment = match extension {
        Extension::Archive => vec![("ARCHIVE_FILE", archive.display().to_string())],
        Extension::Forwarder => vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
            ("FG_OTLP_BUFFER", plan.buffer().to_string()),
            ("FG_TELEMETRY_BUFFER", plan.buffer().to_string()),
            (
                "FG_OTLP_FLUSH_INTERVAL",
                format!("{}ms", plan.schedule.flush_interval().as_millis()),
            ),
        ],
    };
    let platform = Platform::start()?;
    let process = ExtensionProcess::start(script, &environment, &platform)?;
    let telemetry = platform.wait_for_subscription()?;
    let load = Arc::new(Load::default());
    let posting = [
        {
            let (load, items) = (Arc::clone(&load), Arc::clone(&items));
            thread::spawn(move || load.post_telemetry(telemetry, plan.numbering, plan.rate, &items))
        },
        {
            let (load, to) = (Arc::clone(&load), process.address);
            thread::spawn(move || load.post_invocations(to, plan.invocations))
        },
    ];
    let csv = output.join(format!("{}.csv", extension.package()));
    let (samples, exit) = control(process, plan.schedule, &collector, &load, &csv)
        .inspect_err(|_| load.is_stopping.store(true, Ordering::SeqCst))?;
    for thread in posting {
        let _ = thread.join();
    }
    if extension == Extension::Archive {
        read_archive(&archive, &items)?;
        fs::remove_file(&archive)?;
    }
    let items = items.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Report::new(
        extension,
        &samples,
        &items,
        &load,
        collector.requests(),
        exit,
    ))
}

/// Follows the schedule: freezes and samples the process, changes the phase of the collector, and sends SIGTERM at the
/// end, while requests are in flight.
fn control(
    mut process: ExtensionProcess,
    schedule: Schedule,
    collector: &Collector,
    load: &Load,
    csv: &PathBuf,
) -> anyhow::Result<(Vec<Sample>, Exit)> {
    let mut csv = File::create(csv)?;
    writeln!(csv, "seconds,rss,pss,anonymous,descriptors,threads")?;
    let mut freezes = schedule.freezes().into_iter().peekable();
    let (mut thaw, mut samples) = (None, Vec::new());
    let start = Instant::now();
    loop {
        let elapsed = start.elapsed();
        if elapsed >= schedule.duration {
            break;
        }
        collector.enter(schedule.collector(elapsed));
        if let Some((_, length)) = freezes.next_if(|(at, _)| *at <= elapsed) {
            process.signal(Signal::SIGSTOP)?;
            thaw = Some(elapsed + length);
        } else if thaw.take_if(|at| *at <= elapsed).is_some() {
            process.signal(Signal::SIGCONT)?;
        }
        if elapsed >= schedule.sample_interval() * (samples.len() as u32 + 1) {
            if process.has_exited()? {
                break;
            }
            let sample = process.sample()?;
            let Sample {
                rss,
                pss,
                anonymous,
                descriptors,
                threads,
            } = sample;
            writeln!(
                csv,
                "{:.1},{rss},{pss},{anonymous},{descriptors},{threads}",
                elapsed.as_secs_f64()
            )?;
            samples.push(sample);
        }
        thread::sleep(TICK);
    }
    if thaw.is_some() {
        process.signal(Signal::SIGCONT)?;
    }
    load.is_stopping.store(true, Ordering::SeqCst);
    let exit = process.terminate(EXIT)?;
    Ok((samples, exit))
}

/// Records each line of the archive as delivered.
fn read_archive(archive: &Path, items: &Mutex<Items>) -> anyhow::Result<()> {
    let file = File::open(archive).with_context(|| archive.display().to_string())?;
    let mut items = items.lock().unwrap_or_else(PoisonError::into_inner);
    for line in BufReader::new(file).lines() {
        for event in events::numbers(line?.as_bytes(), events::LOG_PREFIX, 10, 10) {
            items.events.deliver(event);
        }
    }
    Ok(())
}

#[cfg(test)]
impl Default for Items {
    fn default() -> Self {
        Self::new(
            Extension::Forwarder,
            Numbering {
                per_invocation: 100,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forwarder_delivers_log_records_and_one_span_per_invocation() {
        let mut items = Items::default();
        (0..200).for_each(|it| items.acknowledge(it));
        assert_eq!(items.events.balance(0).acknowledged, 194);
        assert_eq!(items.spans.balance(0).acknowledged, 2);
        let mut items = Items::new(
            Extension::Archive,
            Numbering {
                per_invocation: 100,
            },
        );
        (0..200).for_each(|it| items.acknowledge(it));
        assert_eq!(items.events.balance(0).acknowledged, 200);
        assert_eq!(items.spans.balance(0).acknowledged, 0);
    }

    #[test]
    fn extensions_are_selected_by_name() {
        assert_eq!(selected(&[]).unwrap().len(), 2);
        let one = selected(&["otlp-forwarder".to_owned()]).unwrap();
        assert!(one == [Extension::Forwarder]);
        assert!(selected(&["hello".to_owned()]).is_err());
    }
}
