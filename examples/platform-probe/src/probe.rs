//! [`Probe`]: responds to requests at once, and records what they looked like.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::calls::{AllCalls, Calls, Kind};
use crate::http::{Observer, Request, Response};
use crate::image::{self, Processes};
use crate::life::Life;
use crate::output::{self, Output};
use crate::process;
use crate::registration::Registration;
use crate::report;
use crate::row::Row;
use crate::runs::Runs;
use crate::settings::Settings;
use crate::telemetry::Telemetry;

/// Everything that was observed.
pub(crate) struct Observations {
    pub(crate) process: Vec<Row>,
    pub(crate) image: Vec<Row>,
    pub(crate) processes: Processes,
    pub(crate) registration: Registration,
    pub(crate) calls: AllCalls,
    pub(crate) runs: Runs,
    pub(crate) telemetry: Telemetry,
    pub(crate) life: Life,
    /// Whether something has changed since the report was written.
    changed: bool,
}

impl Observations {
    pub(crate) fn new() -> Self {
        Self {
            process: Vec::new(),
            image: Vec::new(),
            processes: Processes::default(),
            registration: Registration::default(),
            calls: AllCalls::default(),
            runs: Runs::default(),
            telemetry: Telemetry::default(),
            life: Life::new(),
            changed: false,
        }
    }

    pub(crate) fn function_rows(&self) -> Vec<Row> {
        let reaches = self
            .calls
            .get(Kind::Function)
            .map(Calls::lines)
            .unwrap_or_default();
        vec![
            Row::list('?', "can the function reach the extension's port", reaches),
            self.runs.request_id_row(),
        ]
    }
}

/// Why the probe ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Shutdown,
    Rejected,
    /// The experiment `exit`.
    Exit,
}

/// The probe on one of its ports.
#[derive(Clone)]
pub(crate) struct Probe {
    shared: Arc<Shared>,
    is_telemetry_port: bool,
}

struct Shared {
    settings: Settings,
    observations: Mutex<Observations>,
    output: Output,
    ends: UnboundedSender<End>,
}

impl Probe {
    pub(crate) fn new(settings: Settings, ends: UnboundedSender<End>) -> Self {
        let shared = Shared {
            settings,
            observations: Mutex::new(Observations::new()),
            output: Output::start(),
            ends,
        };
        Self {
            shared: Arc::new(shared),
            is_telemetry_port: false,
        }
    }

    /// The same probe on the port for telemetry.
    pub(crate) fn on_telemetry_port(&self) -> Self {
        Self {
            is_telemetry_port: true,
            ..self.clone()
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(crate) fn output(&self) -> &Output {
        &self.shared.output
    }

    /// Changes the observations. After a panic, what was recorded so far is reported nevertheless.
    pub(crate) fn record<T>(&self, change: impl FnOnce(&mut Observations) -> T) -> T {
        let mut observations = self.lock();
        observations.changed = true;
        change(&mut observations)
    }

    fn lock(&self) -> MutexGuard<'_, Observations> {
        self.shared
            .observations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn end(&self, end: End) {
        // Nobody receives it if the probe ends already.
        let _ = self.shared.ends.send(end);
    }

    /// Looks for a gap since the last tick.
    pub(crate) fn tick(&self) -> bool {
        let gap = self.lock().life.tick();
        self.lock().changed |= gap;
        gap
    }

    /// Collects what does not depend on the platform's calls, unless it has been collected. It reads many files, so it takes some time.
    pub(crate) fn look_around_once(&self) {
        if !self.lock().process.is_empty() {
            return;
        }
        let (process, image) = (process::rows(), image::rows());
        self.record(|it| {
            it.process = process;
            it.image = image;
        });
    }

    pub(crate) fn report(&self) -> String {
        report::render(&self.lock(), self.settings())
    }

    /// Writes the file if something has changed.
    pub(crate) fn write(&self) {
        if std::mem::take(&mut self.lock().changed) {
            // Where /tmp is not writable, stdout and the port remain.
            let _ = output::write(self.settings(), &self.report());
            // A slow disk is not a freeze.
            self.lock().life.restart_tick();
        }
    }

    /// Writes, prints and uploads the report.
    pub(crate) async fn publish(&self) {
        // It reads files of each process, for which an invocation must not wait.
        if let Ok(processes) = tokio::task::spawn_blocking(Processes::look).await {
            self.record(|it| it.processes.add(processes));
        }
        self.write();
        let report = self.report();
        self.output().print(&report);
        output::upload(self.settings(), &report).await;
    }

    fn kind(&self, request: &Request) -> Kind {
        match path(request) {
            "/probe/report" | "/probe/started" | "/probe/finished" => Kind::Function,
            "/extension/invoke" | "/extension/register" => Kind::Invocation,
            "/extension/shutdown" => Kind::Other,
            _ if request.body.trim_ascii_start().starts_with(b"[") => Kind::Telemetry,
            _ if self.is_telemetry_port => Kind::Telemetry,
            // Whatever its path is.
            _ if is_invocation(&request.body) => Kind::Invocation,
            _ => Kind::Other,
        }
    }

    async fn invocation(&self, request: Request) -> Response {
        let event = match serde_json::from_slice(&request.body) {
            Ok(Value::Object(event)) => event,
            _ => return error(400, "the event is not a JSON object"),
        };
        let text = |field| event.get(field).and_then(Value::as_str).unwrap_or_default();
        let (id, urn) = (text("traceId"), text("invokedFunctionUrn"));
        let number = self.record(|it| {
            let registration = &mut it.registration;
            let registered = registration.registered;
            registration.first_event_after.get_or_insert_with(|| {
                registered.map(|at| request.arrived.saturating_duration_since(at))
            });
            it.runs.event(id, urn, request.arrived_at)
        });
        let Experiments { slow, fail, exit } = self.experiments(number);
        if slow {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        self.record(|it| {
            it.runs.response(id);
            it.life.response();
        });
        if exit {
            self.end(End::Exit);
        }
        // After 1, 2, 4, 8, … events, and after the response.
        if number.is_power_of_two() {
            let probe = self.clone();
            tokio::spawn(async move { probe.publish().await });
        }
        if fail {
            return error(500, "the probe makes the experiment error-response");
        }
        let body = serde_json::json!({ "traceId": id, "invokedFunctionUrn": urn });
        Response {
            status: 200,
            body: body.to_string(),
        }
    }

    fn experiments(&self, number: u64) -> Experiments {
        let asked = &self.settings().experiments;
        Experiments {
            slow: asked.slow_response,
            fail: asked.error_response && number.is_multiple_of(2),
            exit: asked.exit,
        }
    }

    fn telemetry(&self, request: &Request) -> Response {
        let is_batch = self.record(|it| it.telemetry.batch(&request.body, &mut it.runs));
        let first = self.record(|it| it.calls.of(Kind::Telemetry).count() == 1);
        if first && self.settings().experiments.telemetry_error {
            return error(500, "the probe makes the experiment telemetry-error");
        }
        if is_batch {
            ok()
        } else {
            error(400, "the batch is not a JSON array")
        }
    }

    fn function(&self, request: &Request) -> Response {
        let path = path(request);
        if path == "/probe/report" {
            return Response {
                status: 200,
                body: self.report(),
            };
        }
        let id = String::from_utf8_lossy(&request.body).trim().to_owned();
        let is_start = path == "/probe/started";
        self.record(|it| {
            let run = it.runs.run(&id);
            let time = if is_start {
                &mut run.handler_start
            } else {
                &mut run.handler_end
            };
            time.get_or_insert(request.arrived_at);
        });
        ok()
    }

    fn other(&self, request: &Request) -> Response {
        if request.target.to_ascii_lowercase().contains("shutdown") {
            self.record(|it| {
                it.life
                    .sign("a request with `shutdown` in its path".to_owned())
            });
            self.end(End::Shutdown);
        }
        ok()
    }
}

impl Observer for Probe {
    async fn request(&self, request: Request) -> Response {
        let kind = self.kind(&request);
        self.record(|it| {
            let calls = it.calls.of(kind);
            calls.add(&request);
            if matches!(kind, Kind::Invocation | Kind::Other) {
                calls.add_shape(&request.body);
            }
        });
        match kind {
            Kind::Invocation => self.invocation(request).await,
            Kind::Telemetry => self.telemetry(&request),
            Kind::Function => self.function(&request),
            Kind::Other => self.other(&request),
        }
    }

    fn closed(&self, requests: usize, idle: Option<Duration>) {
        self.record(|it| it.calls.closed(requests, idle));
    }
}

/// What to do with one event.
struct Experiments {
    slow: bool,
    fail: bool,
    exit: bool,
}

fn is_invocation(body: &[u8]) -> bool {
    let event: Value = serde_json::from_slice(body).unwrap_or_default();
    event["traceId"].is_string() && event["invokedFunctionUrn"].is_string()
}

fn path(request: &Request) -> &str {
    request.target.split('?').next().unwrap_or_default()
}

fn ok() -> Response {
    Response {
        status: 200,
        body: "{}".to_owned(),
    }
}

fn error(status: u16, message: &str) -> Response {
    Response {
        status,
        body: serde_json::json!({ "error": message }).to_string(),
    }
}

/// Records that the probe has registered.
pub(crate) fn registered(probe: &Probe) {
    probe.record(|it| {
        it.registration.registered = Some(Instant::now());
        it.registration.registered_after = Some(it.life.started.elapsed());
    });
}
