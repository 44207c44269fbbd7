//! An extension for the first hour on the real platform: it records what no document says, without values, and prints a report
//! that is laid out like what is known about the platform. See docs/guide/platform-probe.md.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::signalfd::SignalFd;
use tokio::sync::mpsc::unbounded_channel;

#[cfg(not(target_os = "linux"))]
compile_error!("platform-probe observes Linux, on which FunctionGraph runs; use it there");

mod calls;
mod http;
mod image;
mod life;
mod output;
mod probe;
mod process;
mod redact;
mod registration;
mod report;
mod row;
mod runs;
mod settings;
mod shape;
mod tally;
mod telemetry;

use probe::{End, Probe};
use settings::Settings;

/// The start script.
const SCRIPT: &str = "extensionPlatformProbe.sh";

/// From this, `cargo fg` reads the name of the start script. With `#[extension]`, it is generated.
const MARKER: &str = "\u{1f}fg-extension:name=extensionPlatformProbe.sh\u{1f}";

/// How long to wait for further signs after the first one of a shutdown.
const AFTER_SHUTDOWN: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    std::hint::black_box(MARKER);
    // Before the first thread starts, since threads inherit what is blocked.
    let result = life::block_signals()
        .map_err(Into::into)
        .and_then(|signals| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let code = runtime.block_on(run(signals));
            runtime.shutdown_background();
            code
        });
    result.unwrap_or_else(|error: fg_extension::Error| {
        // stderr may be closed, at which `eprintln!` panics.
        let _ = writeln!(std::io::stderr(), "ERROR {SCRIPT}: {error}");
        ExitCode::FAILURE
    })
}

async fn run(signals: SignalFd) -> Result<ExitCode, fg_extension::Error> {
    let settings = Settings::read()?;
    let (ends, mut ended) = unbounded_channel();
    let listen = async |port| {
        let cannot = |error| {
            format!(
                "cannot listen on 127.0.0.1:{port}: {error}; set FG_EXTENSION_PORT or FG_TELEMETRY_PORT to another port"
            )
        };
        http::listen(port).await.map_err(cannot)
    };
    let events = listen(settings.port).await?;
    let telemetry = listen(settings.telemetry_port).await?;
    let probe = Probe::new(settings, ends);
    let reader = probe.clone();
    std::thread::spawn(move || read_signals(signals, &reader));
    tokio::spawn(http::serve(events, probe.clone()));
    tokio::spawn(http::serve(telemetry, probe.on_telemetry_port()));
    tokio::spawn(start(probe.clone()));
    tokio::spawn(tick(probe.clone()));

    let end = ended.recv().await;
    if end == Some(End::Shutdown) {
        if probe.settings().experiments.linger {
            linger(&probe).await;
        }
        // At once, since nobody knows when the process is killed. Then again: the first sign may be followed by others, and by events
        // that are in flight.
        probe.look_around_once();
        let publisher = probe.clone();
        let published = tokio::spawn(async move { publisher.publish().await });
        tokio::time::sleep(AFTER_SHUTDOWN).await;
        // After a panic, it is tried again below.
        let _ = published.await;
    }
    probe.publish().await;
    probe.output().finish(Duration::from_millis(500));
    Ok(match end {
        Some(End::Rejected) => ExitCode::from(3),
        Some(End::Exit) => ExitCode::FAILURE,
        Some(End::Shutdown) | None => ExitCode::SUCCESS,
    })
}

/// Registers and subscribes, then looks at everything else.
async fn start(probe: Probe) {
    let record = |change: &dyn Fn(&mut registration::Registration)| {
        probe.record(|it| change(&mut it.registration));
    };
    let problem = if probe.settings().platform.is_empty() {
        "EXTENSION_API_ADDR is not set; FunctionGraph sets it, and on your machine `cargo fg dev` does"
    } else if !registration::register(probe.settings(), record).await {
        "the platform did not accept the registration; the report says how it responded"
    } else {
        ""
    };
    if !problem.is_empty() {
        // What else there is to see may explain it.
        probe.look_around_once();
        probe.output().error(format!("ERROR {SCRIPT}: {problem}"));
        return probe.end(End::Rejected);
    }
    probe::registered(&probe);
    let observer = probe.clone();
    std::thread::spawn(move || observer.look_around_once());
    if !registration::subscribe(probe.settings(), record).await {
        probe.output().error(format!(
            "WARN {SCRIPT}: the platform did not accept the subscription; the report says how it responded"
        ));
    }
}

/// Reads signals, on a thread of its own.
fn read_signals(signals: SignalFd, probe: &Probe) {
    while let Ok(Some(info)) = signals.read_signal() {
        probe.record(|it| it.life.signal(&info));
        if life::signal_name(&info).1 {
            probe.end(End::Shutdown);
        }
    }
}

/// Looks for gaps, and keeps the file up to date.
async fn tick(probe: Probe) {
    let mut ticks = tokio::time::interval(life::TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if probe.tick() {
            // Not here, since an upload can take longer than a tick.
            let probe = probe.clone();
            tokio::spawn(async move { probe.publish().await });
        }
        probe.write();
    }
}

/// Runs on until the platform kills the process, and says every 100 ms that it still does.
async fn linger(probe: &Probe) {
    probe.record(|it| it.life.lingering = true);
    for tenth in 0..600 {
        let alive = probe
            .record(|it| it.life.since_first_sign())
            .unwrap_or_default();
        probe.output().print(&format!(
            "still running {:.1} s after the first sign of the shutdown",
            alive.as_secs_f64()
        ));
        probe.write();
        if tenth % 10 == 0 {
            output::upload(probe.settings(), &probe.report()).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
