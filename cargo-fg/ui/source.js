// Where entries come from: the server, this file, or a recording.

/// How long to wait before the next attempt to connect.
const RECONNECT_MS = [300, 1000, 2000, 5000, 10_000];

/// How long a file is read before the page responds to the user.
const BUSY_MS = 50;
/// How many entries of a file are applied at a time.
const ENTRIES_AT_A_TIME = 100;

/// The stream is closed if the page is in the background for so long.
const BACKGROUND_MS = 60_000;

class Source {
  constructor() {
    this.live = false;
    this.state = null;
    this.connected = false;
    this.listeners = new Set();
  }

  /// Calls `listener` when `state` or `connected` has changed.
  onState(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed() {
    for (const listener of [...this.listeners]) {
      listener();
    }
  }

  async detail() {
    return null;
  }

  async post() {
    throw new Error("a recording cannot be controlled");
  }
}

/// The server of `cargo fg`. Its stream is resumed after an interruption.
class LiveSource extends Source {
  constructor(session) {
    super();
    this.live = true;
    this.session = session;
    this.failures = 0;
    this.timer = null;
    this.events = null;
    this.connect();
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) {
        clearTimeout(this.timer);
        this.timer = null;
        if (this.events === null) {
          this.connect();
        }
      } else if (this.events !== null) {
        this.closeInBackground();
      }
    });
  }

  /// Browsers allow six connections to a server. Tabs in the background do not use them up.
  closeInBackground() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.close(), BACKGROUND_MS);
  }

  close() {
    this.events?.close();
    this.events = null;
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = null;
    const { session } = this;
    const query = session.id === null ? "" : `?session=${encodeURIComponent(session.id)}&after=${session.lastId}`;
    const events = new EventSource(`api/events${query}`);
    this.events = events;
    let dropped = 0;
    let opened = Infinity;
    events.addEventListener("open", () => {
      opened = performance.now();
      this.failures = 0;
      if (document.hidden) {
        this.closeInBackground();
      }
      this.setConnected(true);
    });
    events.addEventListener("dropped", (event) => {
      dropped = number(JSON.parse(event.data).entries);
    });
    events.addEventListener("entries", (event) => {
      // The first entry may have been dropped, but the ID of the message names the session as well.
      const id = event.lastEventId.slice(0, event.lastEventId.lastIndexOf("/"));
      if (id !== session.id) {
        session.clear(id);
      }
      session.dropped += dropped;
      dropped = 0;
      session.apply(JSON.parse(event.data));
      // What happened before the connection was opened arrives at once.
      if (performance.now() - opened > 2000) {
        session.synchronize();
      }
    });
    events.addEventListener("state", (event) => {
      this.state = JSON.parse(event.data);
      this.changed();
    });
    events.addEventListener("error", () => {
      // The browser would try again without a back-off, and not at all after a status other than 200.
      this.close();
      clearTimeout(this.timer);
      const wait = RECONNECT_MS[Math.min(this.failures, RECONNECT_MS.length - 1)];
      this.failures += 1;
      this.timer = setTimeout(() => this.connect(), wait);
      this.setConnected(false);
    });
  }

  setConnected(connected) {
    if (this.connected !== connected) {
      this.connected = connected;
      this.changed();
    }
  }

  async detail(id) {
    // The server may have been restarted, and have other details with this ID.
    const response = await fetch(`api/detail/${id}?session=${encodeURIComponent(this.session.id)}`);
    if (!response.ok && response.status !== 404) {
      throw new Error(`status ${response.status}`);
    }
    return response.ok ? response.json() : null;
  }

  async post(path, body = {}) {
    let response;
    try {
      response = await fetch(`api/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    } catch {
      throw new Error("cargo fg does not respond; is it still running?");
    }
    const data = await response.json().catch(() => ({}));
    if (!response.ok) {
      throw new Error(data.error ?? `status ${response.status}`);
    }
    return data;
  }
}

/// The entries and details of an exported page or of a recording.
class StoredSource extends Source {
  constructor(details) {
    super();
    this.details = details;
  }

  async detail(id) {
    return this.details.get(Number(id)) ?? null;
  }
}

/// Returns what the data of an exported page contain.
function exportedData(data) {
  const { entries, details, left_out: leftOut } = JSON.parse(data);
  return { entries: list(entries), details: Object.entries(details ?? {}), dropped: number(leftOut?.entries) };
}

/// Returns the run that this page contains, or `null` in a page of the server.
function readEmbedded() {
  const element = byId("data");
  if (!element) {
    return null;
  }
  const data = exportedData(element.textContent);
  const session = new Session();
  session.apply(data.entries);
  return storedRun(session, data);
}

/// Reads a recording or an exported page.
async function readFile(file) {
  const content = await file.text().catch((error) => {
    throw new Error(`cannot read ${file.name}: ${error.message}`);
  });
  if (/^\s*</.test(content)) {
    // The data contain no `<`, so the page need not be parsed.
    const [, data] = /[<]script\b[^<>]*\bid="data">([^<]*)/.exec(content) ?? [];
    if (data === undefined) {
      throw new Error(`${file.name} has not been exported by cargo fg: it contains no data`);
    }
    return readRun(file.name, attempt(() => exportedData(data), `${file.name}: the data of the page is damaged`));
  }
  return readRun(file.name, await recordedData(file.name, content));
}

/// Returns what a recording contains.
async function recordedData(name, content) {
  const [header = "", ...lines] = content.split("\n").filter((line) => line.trim() !== "");
  const notRecording = `${name} is neither a recording nor an exported page of cargo fg`;
  const { recording: version } = Object(attempt(() => JSON.parse(header), notRecording));
  if (version === 1) {
    throw new Error(`${name} has version 1, which contains invocations only; record the run again`);
  }
  if (version !== 2) {
    throw new Error(version === undefined ? notRecording : `${name} has version ${version}, which this page cannot read`);
  }
  const entries = [];
  const details = [];
  const pause = pauses();
  for (const [index, line] of lines.entries()) {
    // A run that was killed may have written only a part of its last line.
    const parse = () => JSON.parse(line);
    const value = index === lines.length - 1 ? attempt(parse) : attempt(parse, `${name}, line ${index + 2}, is not JSON`);
    if (value?.entry) {
      entries.push(value.entry);
    } else if (value?.detail) {
      details.push([value.detail.id, value.detail.detail]);
    }
    await pause();
  }
  return { entries, details, dropped: 0 };
}

/// Builds a run from the data of a file. The page stays responsive, however many entries there are.
async function readRun(name, data) {
  const session = new Session();
  const pause = pauses();
  for (let index = 0; index < data.entries.length; index += ENTRIES_AT_A_TIME) {
    session.apply(data.entries.slice(index, index + ENTRIES_AT_A_TIME));
    await pause();
  }
  if (session.lastId === 0) {
    throw new Error(`${name} contains no entries`);
  }
  return storedRun(session, data);
}

/// Returns a run whose entries have been applied.
function storedRun(session, { details, dropped }) {
  session.dropped += dropped;
  return { session, source: new StoredSource(new Map(details.map(([id, detail]) => [typeof id === "string" ? Number(id) : id, detail]))) };
}

/// Returns a function that lets the browser respond to the user if it has not done so for a while.
function pauses() {
  let last = performance.now();
  return async () => {
    if (performance.now() - last > BUSY_MS) {
      await new Promise((resolve) => {
        setTimeout(resolve);
      });
      last = performance.now();
    }
  };
}

/// Returns the result of `action`. If it fails, throws an error with `message`, or returns `null` if there is none.
function attempt(action, message) {
  try {
    return action();
  } catch {
    if (message === undefined) {
      return null;
    }
    throw new Error(message);
  }
}
