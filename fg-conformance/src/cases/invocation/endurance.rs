//! INV-08 and RES-02: many events in one boot, and what the extension keeps of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connections::Connections;
use super::{INVOKE_PATH, event};
use crate::cases::CaseId;
use crate::harness::client::{Connection, HttpResponse, RequestError};
use crate::harness::{ProcessGroup, Usage};
use crate::report::{Finding, Report};

/// How many events INV-08 posts.
const EVENTS: u32 = 1_000;
/// How many further events are posted at most, to distinguish a leak from a heap that has not reached its size.
const FURTHER_EVENTS: u32 = 6_000;
/// How long the check posts events, and further events.
const POSTS_FOR: Duration = Duration::from_secs(20);
/// After how many events the usage is read. During the first of them, the extension may load code and fill caches.
const SAMPLE_EVERY: u32 = 200;
/// How many events are in flight.
const IN_FLIGHT: u32 = 8;
/// How many events are posted on one connection. Responses after the first can be slow: a server that writes the head and the
/// body separately waits for the acknowledgment of the head, which the kernel of the client delays by 40 ms.
const PER_CONNECTION: u32 = 2;
/// How long the check waits before it reads the usage, so that the extension notices that connections were closed.
const SETTLES_WITHIN: Duration = Duration::from_millis(20);
/// How much the memory must grow per event to be reported, in bytes.
const MEMORY_PER_EVENT: f64 = 700.0;
/// How many threads, descriptors or sockets an event must leave behind to be reported.
const COUNT_PER_EVENT: f64 = 0.01;

/// Checks INV-08 and RES-02.
pub(crate) async fn check_many(
    address: SocketAddr,
    connections: Connections,
    group: Option<ProcessGroup>,
    report: &mut Report,
) {
    let mut run = Run::new(address, connections, group);
    if let Err(error) = run.post(EVENTS).await {
        report.record(CaseId::Inv08, Finding::fail(error));
        report.block_dependents(CaseId::Inv08);
        return;
    }
    report.record(CaseId::Inv08, Finding::pass(run.summary()));
    if report.is_pending(CaseId::Res02) {
        let finding = run.growth_finding().await;
        report.record(CaseId::Res02, finding);
    }
}

/// Events that are posted in rounds, and the usage after each round.
struct Run {
    address: SocketAddr,
    connections: Connections,
    group: Option<ProcessGroup>,
    start: Instant,
    posted: u32,
    samples: Vec<(u32, Usage)>,
    sample_error: Option<String>,
}

impl Run {
    fn new(address: SocketAddr, connections: Connections, group: Option<ProcessGroup>) -> Self {
        Self {
            address,
            connections,
            group,
            start: Instant::now(),
            posted: 0,
            samples: Vec::new(),
            sample_error: None,
        }
    }

    /// Posts this many events, or fewer if the time is over.
    async fn post(&mut self, events: u32) -> Result<(), String> {
        let (goal, deadline) = (self.posted + events, Instant::now() + POSTS_FOR);
        let posted = Arc::new(AtomicU32::new(self.posted));
        while self.posted < goal && Instant::now() < deadline {
            let mut posts = JoinSet::new();
            for _ in 0..IN_FLIGHT {
                let posted = Arc::clone(&posted);
                posts.spawn(post_share(self.address, self.connections, deadline, posted));
            }
            while let Some(share) = posts.join_next().await {
                share.map_err(|error| error.to_string())??;
            }
            self.posted = posted.load(Ordering::SeqCst);
            tokio::time::sleep(SETTLES_WITHIN).await;
            self.sample();
        }
        Ok(())
    }

    fn sample(&mut self) {
        match self.group.map(ProcessGroup::usage) {
            Some(Ok(usage)) => self.samples.push((self.posted, usage)),
            // A process of the group may have exited while it was read.
            Some(Err(error)) => self.sample_error = Some(error.to_string()),
            None => self.sample_error = Some("the process ID is unknown".to_owned()),
        }
    }

    fn summary(&self) -> String {
        let duration = self.start.elapsed();
        format!("responded to {} events in {duration:.1?}", self.posted)
    }

    async fn growth_finding(&mut self) -> Finding {
        if self.samples.len() < 3 {
            return Finding::skip(match &self.sample_error {
                Some(error) => format!("cannot read what the processes use: {error}"),
                None => format!("too few events to measure growth: {}", self.summary()),
            });
        }
        let grown: Vec<_> = COUNTS
            .iter()
            .filter_map(|count| count.growth(&self.samples))
            .collect();
        if !grown.is_empty() {
            return Finding::warn(grown.join("; "));
        }
        let slack = self.group.map_or(0, ProcessGroup::heap_slack);
        if slack == u64::MAX {
            return Finding::pass(format!(
                "threads, descriptors and sockets are stable over {} events; the memory of a JVM or of .NET is not judged",
                self.posted
            ));
        }
        if MEMORY.growth(&self.samples).is_none() {
            return Finding::pass(format!("stable over {} events", self.posted));
        }
        // The heap of a garbage collector grows for a while without a leak.
        if let Err(error) = self.post(FURTHER_EVENTS).await {
            return Finding::warn(format!(
                "after {} events with growing memory, {error}",
                self.posted
            ));
        }
        let second_half = &self.samples[self.samples.len() / 2..];
        let grown = match (self.samples.first(), self.samples.last()) {
            (Some((_, first)), Some((_, last))) => last.memory.saturating_sub(first.memory),
            _ => 0,
        };
        match MEMORY.growth(second_half) {
            Some(growth) if grown > slack => Finding::warn(growth),
            Some(_) => Finding::pass(format!(
                "memory: {:.1} MB more after {} events, which a garbage collector may leave",
                grown as f64 / 1e6,
                self.posted
            )),
            None => Finding::pass(format!("stable after {} events", self.posted)),
        }
    }
}

/// Posts one part of the events between two samples, and counts those that succeed.
async fn post_share(
    address: SocketAddr,
    connections: Connections,
    deadline: Instant,
    counter: Arc<AtomicU32>,
) -> Result<(), String> {
    let (mut posted, mut open) = (0, None);
    while posted < SAMPLE_EVERY / IN_FLIGHT && Instant::now() < deadline {
        if let Err(error) = post_on(&mut open, address).await {
            let before = counter.load(Ordering::SeqCst);
            return Err(format!(
                "one event failed after {before} successful ones: {error}"
            ));
        }
        counter.fetch_add(1, Ordering::SeqCst);
        posted += 1;
        if connections == Connections::Closed || posted % PER_CONNECTION == 0 {
            open = None;
        }
    }
    Ok(())
}

/// Posts an event on the open connection, or on a new one, which stays open if the response permits it.
async fn post_on(open: &mut Option<Connection>, address: SocketAddr) -> Result<(), RequestError> {
    let mut connection = match open.take() {
        Some(connection) => connection,
        None => Connection::open(address).await?,
    };
    let response = connection.post(INVOKE_PATH, event()).await;
    if !response.and_then(HttpResponse::expect_200)?.closes {
        *open = Some(connection);
    }
    Ok(())
}

/// Something that should not grow.
struct Resource {
    name: &'static str,
    value: fn(&Usage) -> u64,
    /// How much it must grow per event to be reported.
    per_event: f64,
    format: fn(f64) -> String,
}

const MEMORY: Resource = Resource {
    name: "memory",
    value: |usage| usage.memory,
    per_event: MEMORY_PER_EVENT,
    format: |bytes| format!("{:.1} KB", bytes / 1000.0),
};
const COUNTS: [Resource; 3] = [
    Resource {
        name: "threads",
        value: |usage| usage.threads,
        per_event: COUNT_PER_EVENT,
        format: |count| format!("{count:.2}"),
    },
    Resource {
        name: "file descriptors",
        value: |usage| usage.descriptors - usage.sockets,
        per_event: COUNT_PER_EVENT,
        format: |count| format!("{count:.2}"),
    },
    Resource {
        name: "sockets",
        value: |usage| usage.sockets,
        per_event: COUNT_PER_EVENT,
        format: |count| format!("{count:.2}"),
    },
];

impl Resource {
    /// Describes the growth if the resource grows enough in each half of the samples.
    fn growth(&self, samples: &[(u32, Usage)]) -> Option<String> {
        let (first, last) = (samples.first()?, samples.last()?);
        let middle = samples.get(samples.len() / 2)?;
        let is_steady = [(first, middle), (middle, last)]
            .iter()
            .all(|(from, to)| self.slope(from, to) >= self.per_event);
        is_steady.then(|| {
            let Self {
                name,
                value,
                format,
                ..
            } = self;
            let slope = format(self.slope(first, last));
            let (from, to) = (value(&first.1), value(&last.1));
            let (from, to) = match *name {
                "memory" => (format(from as f64), format(to as f64)),
                _ => (from.to_string(), to.to_string()),
            };
            format!(
                "{name}: about {slope} more per event, {from} after {} events and {to} after {}",
                first.0, last.0
            )
        })
    }

    fn slope(&self, from: &(u32, Usage), to: &(u32, Usage)) -> f64 {
        let events = f64::from(to.0.saturating_sub(from.0).max(1));
        ((self.value)(&to.1) as f64 - (self.value)(&from.1) as f64) / events
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNTS, MEMORY, Usage};

    fn samples(memory: [u64; 5], threads: [u64; 5]) -> Vec<(u32, Usage)> {
        let events = [200, 400, 600, 800, 1_000];
        let usage = memory
            .into_iter()
            .zip(threads)
            .map(|(memory, threads)| Usage {
                memory: memory * 1_000,
                threads,
                ..Usage::default()
            });
        events.into_iter().zip(usage).collect()
    }

    #[test]
    fn steady_growth_is_described() {
        let grown = samples([1_000, 1_400, 1_800, 2_200, 2_600], [3, 5, 7, 9, 11]);
        assert_eq!(
            MEMORY.growth(&grown).unwrap(),
            "memory: about 2.0 KB more per event, 1000.0 KB after 200 events and 2600.0 KB after 1000"
        );
        assert_eq!(
            COUNTS[0].growth(&grown).unwrap(),
            "threads: about 0.01 more per event, 3 after 200 events and 11 after 1000"
        );
        assert_eq!(COUNTS[1].growth(&grown), None);
    }

    #[test]
    fn growth_that_ends_is_not_described() {
        for (memory, threads) in [
            ([1_000, 5_000, 5_100, 5_100, 5_100], [3, 9, 9, 9, 9]),
            ([1_000, 1_000, 1_000, 1_000, 9_000], [3, 3, 3, 3, 9]),
            ([9_000, 1_000, 9_000, 1_000, 9_000], [9, 3, 9, 3, 9]),
            ([1_000, 1_010, 1_020, 1_030, 1_040], [3, 4, 5, 4, 3]),
        ] {
            let samples = samples(memory, threads);
            assert_eq!(MEMORY.growth(&samples), None, "{memory:?}");
            assert_eq!(COUNTS[0].growth(&samples), None, "{threads:?}");
        }
    }
}
