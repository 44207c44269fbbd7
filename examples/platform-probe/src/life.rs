//! The life of the instance: signals and their senders, signs of the shutdown, and gaps in which the process did not run.

use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use nix::time::{ClockId, clock_gettime};

use crate::row::Row;
use crate::tally::{Tally, time_class};

/// The time between two ticks. Rare enough to use no CPU.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// How late a tick must be to count as a gap. A process that gets little CPU is a little late.
const LATE: Duration = Duration::from_millis(250);

/// How many gaps and signals are listed one by one.
const MAX_LISTED: usize = 12;

/// Blocks all signals that a process can handle, so that they are read instead. Call it before the first thread is started.
///
/// The signals of faults, such as SIGSEGV, keep their effect.
pub(crate) fn block_signals() -> nix::Result<SignalFd> {
    let mut signals = SigSet::all();
    for fault in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGILL,
        Signal::SIGFPE,
        Signal::SIGABRT,
        Signal::SIGTRAP,
        Signal::SIGSYS,
    ] {
        signals.remove(fault);
    }
    signals.thread_block()?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)
}

/// Returns the name of a signal, and whether it asks the process to end.
pub(crate) fn signal_name(info: &siginfo) -> (&'static str, bool) {
    let signal = i32::try_from(info.ssi_signo).ok();
    let signal = signal.and_then(|it| Signal::try_from(it).ok());
    let ends = [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ];
    signal.map_or(("a real-time signal", false), |it| {
        (it.as_str(), ends.contains(&it))
    })
}

/// Describes who has sent a signal.
fn sender(info: &siginfo) -> &'static str {
    let parent = nix::unistd::getppid().as_raw();
    match i32::try_from(info.ssi_pid) {
        Ok(0) => "the kernel, or a process outside of the PID namespace",
        Ok(1) => "PID 1",
        Ok(id) if id == parent => "the parent process",
        _ => "another process",
    }
}

/// The three clocks, which a freeze may treat differently.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    monotonic: Duration,
    boottime: Duration,
    wall: Duration,
}

impl Clocks {
    fn now() -> Self {
        let read = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
        Self {
            monotonic: read(ClockId::CLOCK_MONOTONIC),
            boottime: read(ClockId::CLOCK_BOOTTIME),
            wall: read(ClockId::CLOCK_REALTIME),
        }
    }
}

/// What happened to the process.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) started: Instant,
    last_tick: Clocks,
    last_response: Option<Instant>,
    signals: Vec<String>,
    more_signals: Tally,
    continued: u64,
    gaps: Vec<String>,
    more_gaps: u64,
    signs: Vec<String>,
    first_sign: Option<Instant>,
    /// Whether the process runs on after the first sign, until it is killed.
    pub(crate) lingering: bool,
}

impl Life {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            last_tick: Clocks::now(),
            last_response: None,
            signals: Vec::new(),
            more_signals: Tally::default(),
            continued: 0,
            gaps: Vec::new(),
            more_gaps: 0,
            signs: Vec::new(),
            first_sign: None,
            lingering: false,
        }
    }

    /// Compares the clocks with those of the last tick. Returns whether there was a gap.
    ///
    /// Called once per [`TICK`], and before anything else is recorded, since a thaw wakes everything at once.
    pub(crate) fn tick(&mut self) -> bool {
        let (last, now) = (self.last_tick, Clocks::now());
        self.last_tick = now;
        let since = |of: fn(&Clocks) -> Duration| of(&now).saturating_sub(of(&last));
        let (monotonic, boottime, wall) = (
            since(|it| it.monotonic),
            since(|it| it.boottime),
            since(|it| it.wall),
        );
        // A snapshot may stop both clocks of the kernel, but not the wall clock.
        let length = boottime.max(wall);
        if length < TICK + LATE {
            return false;
        }
        let stopped = |clock: Duration| {
            if clock + LATE < length {
                "stood still"
            } else {
                "went on"
            }
        };
        let after = self
            .last_response
            .map_or("before the first response".to_owned(), |response| {
                // The last tick before the gap, so the gap may have begun up to one tick later.
                let before = response.elapsed().saturating_sub(monotonic);
                if before < LATE {
                    "up to 0.5 s after a response".to_owned()
                } else {
                    format!("{} after a response", time_class(before))
                }
            });
        let gap = format!(
            "{}, began {after}, CLOCK_MONOTONIC {}, CLOCK_BOOTTIME {}",
            seconds(length),
            stopped(monotonic),
            stopped(boottime)
        );
        if self.gaps.len() < MAX_LISTED {
            self.gaps.push(gap);
        } else {
            self.more_gaps += 1;
        }
        true
    }

    /// Begins a new interval, since the probe itself has kept the clock from being read.
    pub(crate) fn restart_tick(&mut self) {
        self.last_tick = Clocks::now();
    }

    pub(crate) fn response(&mut self) {
        self.last_response = Some(Instant::now());
    }

    pub(crate) fn signal(&mut self, info: &siginfo) {
        let (name, ends) = signal_name(info);
        let line = format!("{name} from {}", sender(info));
        self.continued += u64::from(name == "SIGCONT");
        if ends {
            self.sign(line.clone());
        }
        if self.signals.len() < MAX_LISTED {
            self.signals.push(line);
        } else {
            self.more_signals.add(line);
        }
    }

    /// Records a sign of the shutdown: a signal, or a request. It contains no values.
    pub(crate) fn sign(&mut self, sign: String) {
        let first = *self.first_sign.get_or_insert_with(Instant::now);
        if self.signs.len() < MAX_LISTED {
            let after = time_class(first.elapsed());
            self.signs.push(if self.signs.is_empty() {
                sign
            } else {
                format!("{sign}, after {after}")
            });
        }
    }

    pub(crate) fn since_first_sign(&self) -> Option<Duration> {
        self.first_sign.map(|first| first.elapsed())
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut signals = self.signals.clone();
        signals.extend(self.more_signals.lines());
        let mut gaps = self.gaps.clone();
        if self.more_gaps > 0 {
            gaps.push(format!("{} more", self.more_gaps));
        }
        let survived = self.since_first_sign().filter(|_| self.lingering);
        let survived = survived
            .map(|time| format!("at least {}; the last report has the time", seconds(time)));
        // A freeze that is too short to be a gap ends with SIGCONT, too.
        let by_signal = match self.continued {
            0 if self.gaps.is_empty() => None,
            0 => Some(
                "no SIGCONT, so not by SIGSTOP: a control group, or the whole machine".to_owned(),
            ),
            count => Some(format!("by SIGSTOP: {count} SIGCONT")),
        };
        vec![
            Row::list(
                '?',
                "when is an instance frozen: gaps in which the process did not run",
                gaps,
            ),
            Row::new('?', "how is it frozen", by_signal),
            Row::list('?', "signals, in their order", signals),
            Row::list(
                'I',
                "signs of the shutdown in their order (`SIGTERM`)",
                self.signs.clone(),
            ),
            Row::new(
                '?',
                "time from the first sign until it is killed (needs the experiment `linger`)",
                survived,
            ),
        ]
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pretends that the last tick was this long ago, by each clock.
    fn life_after(monotonic: Duration, others: Duration) -> Life {
        let mut life = Life::new();
        life.last_tick.monotonic = life.last_tick.monotonic.saturating_sub(monotonic);
        life.last_tick.boottime = life.last_tick.boottime.saturating_sub(others);
        life.last_tick.wall = life.last_tick.wall.saturating_sub(others);
        life
    }

    #[test]
    fn ticks_on_time_are_no_gaps() {
        assert!(!life_after(TICK, TICK).tick());
    }

    #[test]
    fn gaps_are_described() {
        let hour = Duration::from_secs(3600);
        let mut life = life_after(TICK, hour);
        assert!(life.tick());
        assert!(!life.tick());
        assert_eq!(
            life.gaps,
            [
                "3600.0 s, began before the first response, CLOCK_MONOTONIC stood still, CLOCK_BOOTTIME went on"
            ]
        );
    }

    #[test]
    fn signs_are_in_order() {
        let mut life = Life::new();
        life.sign("SIGTERM".to_owned());
        life.sign("SIGINT".to_owned());
        assert_eq!(life.signs, ["SIGTERM", "SIGINT, after below 1 ms"]);
    }
}
