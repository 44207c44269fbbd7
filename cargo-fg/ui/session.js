// The state of a run, built from the entries of its journal.

/// If a run has more elements of one type than this, the oldest ones are forgotten.
const MAX_ELEMENTS = 200_000;
/// The same for log lines, in characters.
const MAX_LOG_CHARS = 100_000_000;
const MAX_TIME_MS = 1e12;
/// The largest time that a `Date` can represent.
const MAX_DATE_MS = 8.64e15;
/// More rows cannot be told apart. An instance has ten extensions at most.
const MAX_ROWS = 100;
/// The largest number of parts of one invocation, of starts and stops in one instance, and of cases.
const MAX_PARTS = 1000;

class Session {
  constructor() {
    this.listeners = new Set();
    this.scheduled = false;
    /// Changes when elements were removed, so that whoever derives something from this state starts again.
    this.generation = 0;
    this.clear(null);
  }

  clear(id) {
    this.id = id;
    this.generation += 1;
    this.info = null;
    /// How much later the clock of the browser is than the journal, in milliseconds.
    this.skew = 0;
    this.dropped = 0;
    this.lastId = 0;
    this.end = 0;
    /// What the rows of the timeline show: runs of the function, responses of extensions, deliveries.
    this.lanes = new Map();
    this.rows = ["function", "telemetry"];
    this.invocations = [];
    this.inFlight = new Set();
    /// The failed ones, sorted by time.
    this.failures = [];
    this.failed = 0;
    this.lostEvents = 0;
    this.byTrace = new Map();
    this.logs = [];
    this.logChars = 0;
    this.deliveries = [];
    this.attempts = [];
    this.losses = [];
    this.freezes = [];
    this.marks = [];
    this.instances = [];
    this.builds = [];
    this.cases = new Map();
    this.report = null;
    /// The last failure of a build, a boot, an extension or the run, until the next one succeeds: `{id, message}`.
    this.failure = null;
    this.ended = null;
  }

  /// Applies entries, in their order. Those that have been applied before are skipped, so that a stream can be resumed.
  apply(entries) {
    for (const entry of entries) {
      if (!isEntry(entry)) {
        continue;
      }
      if (entry.kind === "session" && entry.session !== this.id) {
        this.clear(text(entry.session));
      }
      if (entry.id <= this.lastId) {
        continue;
      }
      this.lastId = entry.id;
      this.end = Math.max(this.end, entry.t + duration(entry.d));
      if (Object.hasOwn(appliers, entry.kind)) {
        appliers[entry.kind](this, entry);
      }
    }
    this.forgetOldest();
    this.changed();
  }

  /// Calls `listener` after changes, at most once per frame, and not at all while the page is in the background.
  onChange(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed() {
    if (!this.scheduled) {
      this.scheduled = true;
      requestAnimationFrame(() => {
        this.scheduled = false;
        for (const listener of [...this.listeners]) {
          listener();
        }
      });
    }
  }

  /// The time at which something that has not ended yet is drawn to end.
  now(live) {
    if (!live || this.ended || !this.info) {
      return this.end;
    }
    return Math.max(this.end, Date.now() - this.info.epoch_ms - this.skew);
  }

  /// Notes that the last entry is about the present. The clock of the browser can differ from that of the journal, which stands
  /// still while a laptop is suspended.
  synchronize() {
    if (this.info) {
      this.skew = Date.now() - this.info.epoch_ms - this.end;
    }
  }

  /// Finds an invocation by its number.
  invocation(n) {
    const index = lowerBound(this.invocations, n, (invocation) => invocation.n);
    return this.invocations[index]?.n === n ? this.invocations[index] : null;
  }

  instance() {
    return this.instances[this.instances.length - 1] ?? null;
  }

  addRow(row) {
    if (this.rows.length < MAX_ROWS && !this.rows.includes(row)) {
      this.rows.splice(this.rows.length - 1, 0, row);
    }
  }

  /// The lanes of a row. Each span has `t`, `end` (`null` in flight) and `failed`, and is a delivery, an attempt, or part of an
  /// `invocation`.
  lanesOf(row) {
    let lanes = this.lanes.get(row);
    if (!lanes) {
      lanes = new Lanes(row === "telemetry" ? MAX_TELEMETRY_LANES : MAX_LANES);
      this.lanes.set(row, lanes);
    }
    return lanes;
  }

  addMark(entry, row, text) {
    insertSorted(this.marks, { id: entry.id, t: entry.t, row, kind: entry.kind, text }, (mark) => mark.t);
  }

  endFreeze(t) {
    const freeze = this.freezes[this.freezes.length - 1];
    if (freeze && freeze.end === null) {
      freeze.end = t;
    }
  }

  forgetOldest() {
    for (const list of [
      this.invocations, this.failures, this.logs, this.deliveries, this.attempts, this.losses, this.marks, this.freezes, this.instances,
      this.builds,
    ]) {
      if (list.length > MAX_ELEMENTS || (list === this.logs && this.logChars > MAX_LOG_CHARS)) {
        const removed = list.splice(0, list.length - Math.floor(Math.min(list.length, MAX_ELEMENTS) * 0.8));
        this.dropped += removed.length;
        this.generation += 1;
        if (list === this.logs) {
          this.logChars -= removed.reduce((sum, log) => sum + log.text.length, 0);
        }
        if (list === this.invocations) {
          for (const invocation of removed) {
            this.inFlight.delete(invocation);
            if (this.byTrace.get(invocation.traceId) === invocation) {
              this.byTrace.delete(invocation.traceId);
            }
          }
        }
        for (const lanes of list === this.invocations || list === this.deliveries || list === this.attempts ? this.lanes.values() : []) {
          lanes.forget(list[0].t);
        }
      }
    }
  }
}

/// Whether an instance still boots.
function isBooting(session, instance) {
  const { bootedD, failedT, shutdownT, downT } = instance;
  return bootedD === null && failedT === null && shutdownT === null && downT === null && !session.ended
    && instance === session.instance();
}

/// The class of what belongs to a row of the timeline. It sets `--row`, the color.
function rowClass(session, row) {
  if (row === "function" || row === "telemetry") {
    return `row-${row}`;
  }
  const index = session.rows.indexOf(row);
  return index < 0 ? "row-other" : `row-${((index - 1) % 6) + 1}`;
}

/// Recordings can contain anything. Times that cannot be from a run would lose precision on the timeline.
function isEntry(entry) {
  return entry !== null && typeof entry === "object" && Number.isSafeInteger(entry.id)
    && Number.isFinite(entry.t) && Math.abs(entry.t) < MAX_TIME_MS;
}

function number(value, otherwise = 0) {
  return Number.isFinite(value) ? value : otherwise;
}

function duration(value) {
  return Math.min(Math.max(number(value), 0), MAX_TIME_MS);
}

/// Returns a text. Arrays and objects are none, since not all of them can be converted.
function text(value) {
  return typeof value === "string" ? value : typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

function texts(value) {
  return list(value).map(text);
}

function numberOrNull(value) {
  return Number.isFinite(value) ? value : null;
}

function list(value) {
  return Array.isArray(value) ? value : [];
}

const byStart = (element) => element.t;
const byNumber = (invocation) => invocation.n;

/// Returns the invocation of an entry, which is a new one at its first entry.
function invocationOf(session, entry) {
  const n = number(entry.n);
  let invocation = session.invocation(n);
  if (!invocation) {
    invocation = {
      n, traceId: text(entry.trace_id), t: entry.t, d: null, ok: null, function: null, extensions: [],
      payload: "", outcome: null, durationMs: null, sentId: null, sentT: entry.t, doneId: null,
      /// When the function and all extensions were done; later than `t + d` if one of them responded late.
      end: null,
      /// Whether an earlier invocation has the same trace ID, and the next one that has it.
      isRepeated: false, next: null,
    };
    const earlier = session.byTrace.get(invocation.traceId);
    if (earlier && earlier.n < n) {
      invocation.isRepeated = true;
      earlier.next = invocation;
    }
    invocation.run = { t: entry.t, end: null, failed: false, invocation };
    session.lanesOf("function").add(invocation.run);
    insertSorted(session.invocations, invocation, byNumber);
    session.byTrace.set(invocation.traceId, invocation);
    session.inFlight.add(invocation);
  }
  return invocation;
}

function addPart(parts, part) {
  if (parts && parts.length < MAX_PARTS) {
    parts.push(part);
  }
}

function instanceOf(session, number) {
  for (let index = session.instances.length - 1; index >= 0; index -= 1) {
    if (session.instances[index].instance === number) {
      return session.instances[index];
    }
  }
  return null;
}

/// What an entry of each kind changes.
const appliers = {
  session(session, entry) {
    const epoch = number(entry.epoch_ms);
    session.info = {
      command: text(entry.command), directory: text(entry.directory), cases: numberOrNull(entry.cases),
      epoch_ms: Math.abs(epoch) < MAX_DATE_MS - 2 * MAX_TIME_MS ? epoch : 0,
      faults: list(entry.faults).map(texts),
    };
    session.rows = [...new Set(["function", ...texts(entry.scripts).slice(0, MAX_ROWS), "telemetry"])];
  },
  boot(session, entry) {
    session.endFreeze(entry.t);
    session.instances.push({
      instance: number(entry.instance), t: entry.t, bootedD: null, failedT: null, shutdownT: null, downT: null, downD: null, coldStarts: [], stops: [],
    });
  },
  "cold-start"(session, entry) {
    session.addRow(text(entry.row));
    addPart(session.instance()?.coldStarts, {
      id: entry.id, row: text(entry.row), t: entry.t, d: duration(entry.d), address: entry.address ? text(entry.address) : null,
    });
  },
  booted(session, entry) {
    session.failure = null;
    const instance = instanceOf(session, entry.instance);
    if (instance) {
      instance.bootedD = duration(entry.d);
    }
  },
  subscribed(session, entry) {
    session.addMark(entry, "telemetry", `subscribed to ${texts(entry.types).join(", ")} at ${text(entry.uri)}`);
  },
  invoke(session, entry) {
    Object.assign(invocationOf(session, entry), {
      sentId: entry.id,
      sentT: entry.t,
      payload: text(entry.payload),
      outcome: entry.outcome ? text(entry.outcome) : null,
      durationMs: Number.isFinite(entry.duration_ms) ? entry.duration_ms : null,
    });
  },
  invoked(session, entry) {
    const invocation = invocationOf(session, entry);
    const extensions = list(entry.extensions).slice(0, MAX_PARTS).map(Object).map((span) => ({
      row: text(span.row), after: duration(span.after), d: duration(span.d), status: numberOrNull(span.status), error: text(span.error),
    }));
    const span = Object(entry.function);
    Object.assign(invocation, {
      t: entry.t, d: duration(entry.d), ok: entry.ok === true, doneId: entry.id, extensions,
      function: { d: duration(span.d), outcome: text(span.outcome), status: numberOrNull(span.status), response: text(span.response) },
    });
    for (const extension of extensions) {
      session.addRow(extension.row);
      const t = entry.t + extension.after;
      session.lanesOf(extension.row).add({ t, end: t + extension.d, failed: extension.status !== 200, invocation, extension });
    }
    // It starts later than it was sent if a fault freezes the instance first.
    session.lanesOf("function").delayed(invocation.run, entry.t);
    Object.assign(invocation.run, { end: invocation.run.t + invocation.function.d, failed: invocation.function.outcome !== "ok" });
    session.lanesOf("function").finished(invocation.run);
    invocation.end = Math.max(...[invocation.d, invocation.function.d, ...extensions.map(({ after, d }) => after + d)]) + invocation.t;
    session.end = Math.max(session.end, invocation.end);
    session.inFlight.delete(invocation);
    if (!invocation.ok) {
      session.failed += 1;
      insertSorted(session.failures, invocation, byStart);
    }
  },
  delivery(session, entry) {
    const d = duration(entry.d);
    const delivery = {
      id: entry.id, t: entry.t, d, end: entry.t + d, events: number(entry.events), bytes: number(entry.bytes),
      status: number(entry.status), failed: false, traceIds: texts(entry.trace_ids),
      types: Object.fromEntries(Object.entries(Object(entry.types)).map(([type, count]) => [type, number(count)])),
    };
    insertSorted(session.deliveries, delivery, byStart);
    session.lanesOf("telemetry").add(delivery);
  },
  attempt(session, entry) {
    const d = duration(entry.d);
    const failed = { id: entry.id, t: entry.t, d, end: entry.t + d, events: number(entry.events), failed: true, reason: text(entry.reason) };
    insertSorted(session.attempts, failed, byStart);
    session.lanesOf("telemetry").add(failed);
  },
  lost(session, entry) {
    const events = number(entry.events);
    session.lostEvents += events;
    insertSorted(session.losses, { id: entry.id, t: entry.t, events, reason: text(entry.reason), traceIds: list(entry.trace_ids).map(text) }, byStart);
    session.addMark(entry, "telemetry", `${formatCount(events, "event")} lost: ${text(entry.reason)}`);
  },
  log(session, entry) {
    session.addRow(text(entry.row));
    const log = { id: entry.id, t: entry.t, row: text(entry.row), stream: text(entry.stream), text: text(entry.text) };
    session.logs.push(log);
    session.logChars += log.text.length;
  },
  frozen(session, entry) {
    session.endFreeze(entry.t);
    session.freezes.push({ t: entry.t, end: null });
  },
  thawed(session, entry) {
    session.endFreeze(entry.t);
  },
  fault(session, entry) {
    session.addMark(entry, null, `fault ${text(entry.fault)}: ${text(entry.what)}`);
  },
  rejected(session, entry) {
    session.addMark(entry, null, `rejected ${text(entry.method)} ${text(entry.path)} with ${text(entry.status)}: ${text(entry.message)}`);
  },
  shutdown(session, entry) {
    const instance = instanceOf(session, entry.instance);
    if (instance) {
      instance.shutdownT = entry.t;
    }
  },
  stopped(session, entry) {
    session.addRow(text(entry.row));
    addPart(session.instance()?.stops, {
      id: entry.id, row: text(entry.row), t: entry.t, d: duration(entry.d), status: text(entry.status), killed: entry.killed === true,
    });
  },
  down(session, entry) {
    const instance = instanceOf(session, entry.instance);
    if (instance) {
      instance.downT = entry.t;
      instance.downD = duration(entry.d);
    }
    session.endFreeze(entry.t);
  },
  exited(session, entry) {
    session.addRow(text(entry.row));
    // The emulator kills the function when an invocation times out.
    const status = text(entry.status);
    const message = `${text(entry.row)} ${status}${status.endsWith("timed out") ? "" : " unexpectedly"}`;
    session.addMark(entry, text(entry.row), message);
    if (entry.row !== "function") {
      session.failure = { id: entry.id, message };
    }
  },
  changed(session, entry) {
    session.addMark(entry, null, `saved ${texts(entry.paths).join(", ")}`);
  },
  build(session, entry) {
    if (entry.outcome !== "failed") {
      session.failure = null;
    }
    session.builds.push({ id: entry.id, t: entry.t, d: duration(entry.d), outcome: text(entry.outcome) });
    session.addMark(entry, null, `build: ${text(entry.outcome)}, ${formatMs(duration(entry.d))}`);
  },
  failed(session, entry) {
    const instance = session.instance();
    if (instance && instance.bootedD === null) {
      instance.failedT ??= entry.t;
    }
    session.failure = { id: entry.id, message: text(entry.message) };
    session.addMark(entry, null, text(entry.message));
  },
  warning(session, entry) {
    session.addMark(entry, null, `warning: ${text(entry.message)}`);
  },
  case(session, entry) {
    const id = text(entry.case);
    if (session.cases.size < MAX_PARTS || session.cases.has(id)) {
      session.cases.set(id, { id, outcome: text(entry.outcome) });
    }
  },
  report(session, entry) {
    const { id, d, extension, stderr } = entry;
    const names = ["id", "outcome", "detail", "sentence", "source", "mark", "tried", "remedy"];
    const caseOf = (found) => Object.fromEntries(names.map((name) => [name, text(Object(found)[name])]));
    session.report = {
      id, d: duration(d), extension: text(extension), cases: list(entry.cases).slice(0, MAX_PARTS).map(caseOf), stderr: texts(stderr),
    };
  },
  end(session, entry) {
    const message = text(entry.message);
    session.ended = { message };
    // The report of a check has its own message.
    if (entry.ok !== false || message === "" || session.info?.command === "check") {
      return;
    }
    session.failure = { id: entry.id, message };
    session.addMark(entry, null, message);
    const instance = session.instance();
    if (instance && instance.bootedD === null) {
      instance.failedT ??= instance.shutdownT ?? entry.t;
    }
  },
};
