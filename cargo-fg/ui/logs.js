// The log lines, with filters.

const LOGS_KEY = "cargo-fg-logs";
/// A longer line is cut until it is expanded.
const SHOWN_LINE_CHARS = 1000;
/// How many characters of a line are laid out when it is expanded.
const EXPANDED_LINE_CHARS = 64 * 1024;

/// Returns the `/regular expression/` of a query, or `null` if it is a plain text. Throws if the expression is invalid.
function expressionOf(query) {
  const expression = /^\/(.+)\/([imsu]*)$/.exec(query);
  return expression ? new RegExp(expression[1], expression[2]) : null;
}

/// How many lines are tested at a time, and how long that may take.
const TESTED_LINES = 2000;
const TEST_TIMEOUT_MS = 5000;
/// The program of the worker that tests lines.
const TEST_LINES = "onmessage = ({ data: { regex, lines } }) => postMessage(lines.map((line) => regex.test(line)));";

/// Tests lines against a regular expression in a worker, since some expressions take forever, and would freeze the page.
class RegexFilter {
  /// `onMatches(logs)` receives the lines that match, in their order, and `onTimeout()` is called instead if it takes too long.
  constructor(regex, onMatches, onTimeout) {
    Object.assign(this, { regex, onMatches, onTimeout, waiting: [], tested: null, timer: null, isClosed: false });
    RegexFilter.program ??= URL.createObjectURL(new Blob([TEST_LINES], { type: "text/javascript" }));
    this.worker = attempt(() => new Worker(RegexFilter.program));
    if (this.worker) {
      this.worker.onmessage = ({ data }) => {
        if (this.isClosed) {
          return;
        }
        clearTimeout(this.timer);
        const matches = this.tested.filter((_, index) => data[index]);
        this.tested = null;
        this.next();
        this.onMatches(matches);
      };
      this.worker.onerror = () => {
        // The browser does not run workers of this page.
        clearTimeout(this.timer);
        this.worker = null;
        this.waiting = [...this.tested ?? [], ...this.waiting];
        this.tested = null;
        this.next();
      };
    }
  }

  get isBusy() {
    return this.tested !== null && !this.isClosed;
  }

  add(log) {
    if (!this.isClosed) {
      this.waiting.push(log);
    }
  }

  /// Tests the next lines, unless some are being tested.
  next() {
    if (this.isClosed || this.tested !== null || this.waiting.length === 0) {
      return;
    }
    if (this.worker) {
      this.tested = this.waiting.splice(0, TESTED_LINES);
      this.worker.postMessage({ regex: this.regex, lines: this.tested.map((log) => plainLogText(log.text)) });
      this.timer = setTimeout(() => {
        this.close();
        this.onTimeout();
      }, TEST_TIMEOUT_MS);
    } else {
      const logs = this.waiting;
      this.waiting = [];
      this.onMatches(logs.filter((log) => this.regex.test(plainLogText(log.text))));
    }
  }

  close() {
    clearTimeout(this.timer);
    this.worker?.terminate();
    this.isClosed = true;
    this.waiting = [];
  }
}

/// Tests the lines that pass the other filters, if the filter is a regular expression. It outlives the panel, so that its worker can
/// be terminated.
let regexFilter = null;

function savedLogSettings() {
  const saved = readStored("sessionStorage", LOGS_KEY) ?? {};
  return {
    rows: list(saved.rows).map(text), stream: ["stdout", "stderr"].includes(saved.stream) ? saved.stream : "",
    query: text(saved.query), selected: saved.selected === true, clock: saved.clock === true, wrap: saved.wrap !== false, follow: saved.follow !== false,
  };
}

function createLogs(app) {
  const { session, source, view } = app;
  const settings = savedLogSettings();
  /// The lines that pass the filters, and how many lines have been tested.
  let shown = [];
  let tested = 0;
  let generation = session.generation;
  let counts = new Map();
  let test = () => true;
  let sessionId = session.id;
  const expanded = new Map();

  const chips = el("div", { class: "chips", role: "group", "aria-label": "Extensions" });
  const stream = el("select", { "aria-label": "Stream", onchange: () => set({ stream: stream.value }) },
    el("option", { value: "" }, "stdout and stderr"), el("option", { value: "stdout" }, "stdout"), el("option", { value: "stderr" }, "stderr"));
  const query = el("input", { type: "search", placeholder: "Text or /regex/", "aria-label": "Filter by text or /regular expression/", "aria-describedby": "log-error",
    oninput: () => set({ query: query.value }) });
  const error = el("p", { class: "inline-error", id: "log-error", role: "alert" });
  const toggle = (name, label, title) => el("button", { type: "button", class: "small", title, onclick: () => set({ [name]: !settings[name] }), "data-setting": name }, label);
  const toggles = [
    toggle("selected", "Selected invocation", "Lines with its trace ID, and lines printed while it was in flight"),
    toggle("clock", "Clock", "Time of day instead of the time since the start"),
    toggle("wrap", "Wrap", "Wrap long lines"), toggle("follow", "Follow", "Scroll to new lines"),
  ];
  const summary = el("span", { class: "muted log-summary" });
  // Only the effect of a filter is read out, not each new line.
  const announcement = el("p", { class: "visually-hidden", role: "status" });
  const empty = el("p", { class: "empty" });
  const shownText = () => shown.map((log) => `${formatClock(session, log.t)} ${log.row} ${log.stream} ${plainLogText(log.text)}`).join("\n");
  const list = new VirtualList({
    label: "Log lines", role: "grid", rowHeight: 22, measured: true,
    count: () => shown.length,
    key: (index) => `${shown[index].id} ${expanded.has(shown[index].id)}`,
    create: (index) => line(shown[index]),
    onActive: () => follow(false),
    onOpen: (index, byKey) => (isCut(shown[index]) ? toggleLine(shown[index]) : byKey && app.timeline.zoomTo("mark", shown[index])),
    onScroll: () => follow(list.atBottom()),
  });

  function follow(value) {
    if (settings.follow !== value) {
      settings.follow = value;
      list.stick = value ? "bottom" : null;
      save();
      showToggles();
    }
  }

  function save() {
    store("sessionStorage", LOGS_KEY, settings);
  }

  function set(change) {
    Object.assign(settings, change);
    save();
    refilter();
  }

  function isCut(log) {
    return log.text.length > SHOWN_LINE_CHARS || log.text.endsWith("…");
  }

  function line(log) {
    const full = expanded.get(log.id);
    const content = full ?? log.text;
    const limit = full === undefined ? SHOWN_LINE_CHARS : EXPANDED_LINE_CHARS;
    const cut = content.length > limit;
    const button = isCut(log) ? el("button", { type: "button", class: "quiet small", onclick: () => toggleLine(log) }, full === undefined ? "Show all" : "Show less") : null;
    return el("div", { class: `log ${log.stream} ${rowClass(session, log.row)}` },
      el("span", { class: "log-cell", role: "gridcell" }, el("button", { type: "button", class: "log-time", tabindex: "-1", title: "Show this time in the timeline", onclick: () => app.timeline.zoomTo("mark", log) }, settings.clock ? formatClock(session, log.t) : formatOffset(log.t))),
      el("span", { class: "log-row", role: "gridcell", title: `${log.row}, ${log.stream}` }, el("span", { class: "swatch", "aria-hidden": "true" }), shortName(log.row)),
      el("span", { class: "log-stream", role: "gridcell" }, log.stream === "stderr" ? "err" : "out"),
      el("span", { class: "log-text", role: "gridcell" }, logText(content.slice(0, limit)), cut && full !== undefined ? el("span", { class: "muted" }, ` … ${formatCount(content.length - limit, "more character")}; use Copy`) : cut ? "…" : "", button,
        full !== undefined ? copyButton(() => full) : null));
  }

  /// Shows all of a line that was cut, by the page or already by the server, or cuts it again.
  async function toggleLine(log) {
    if (!isCut(log)) {
      return;
    }
    if (expanded.delete(log.id)) {
      list.update();
      return;
    }
    const id = session.id;
    const detail = await source.detail(log.id).catch(() => null);
    if (session.id === id) {
      expanded.set(log.id, text(detail?.text) || log.text);
      list.update();
    }
  }

  function selectedInvocation() {
    return view.selection?.kind === "invocation" ? session.invocation(view.selection.n) : null;
  }

  function refilter() {
    error.textContent = "";
    query.removeAttribute("aria-invalid");
    regexFilter?.close();
    regexFilter = null;
    let needle = "";
    if (settings.query !== "") {
      try {
        const regex = expressionOf(settings.query);
        if (regex) {
          regexFilter = new RegexFilter(regex, showMatches, timedOut);
        } else {
          needle = settings.query.toLowerCase();
        }
      } catch (problem) {
        error.textContent = `not a regular expression: ${problem.message.replace(/^Invalid regular expression: /, "")}`;
        query.setAttribute("aria-invalid", "true");
      }
    }
    const invocation = settings.selected ? selectedInvocation() : null;
    const end = invocation ? (invocation.d === null ? Infinity : invocation.t + invocation.d) : 0;
    const rows = new Set(settings.rows);
    test = (log) => (rows.size === 0 || rows.has(log.row)) && (settings.stream === "" || log.stream === settings.stream)
      && (!settings.selected || (invocation !== null && ((log.t >= invocation.t && log.t <= end) || log.text.includes(invocation.traceId))))
      && (needle === "" || plainLogText(log.text).toLowerCase().includes(needle));
    shown = [];
    tested = 0;
    counts = new Map();
    filterNew();
    list.stick = settings.follow ? "bottom" : null;
    list.active = -1;
    list.element.classList.toggle("wrap", settings.wrap);
    list.rows.forEach((row) => row.remove());
    list.rows.clear();
    list.update(true);
    showToggles();
    announce();
  }

  function showMatches(logs) {
    for (const log of logs) {
      shown.push(log);
    }
    showCounts();
    list.update();
    if (!regexFilter.isBusy && announcement.textContent === "") {
      announce();
    }
  }

  function timedOut() {
    error.textContent = "The expression takes too long, and was stopped.";
    query.setAttribute("aria-invalid", "true");
    showCounts();
  }

  /// Says how many lines a filter has found.
  function announce() {
    announcement.textContent = regexFilter?.isBusy ? "" : summary.textContent;
  }

  /// Tests the lines that are new.
  function filterNew() {
    for (; tested < session.logs.length; tested += 1) {
      const log = session.logs[tested];
      counts.set(log.row, (counts.get(log.row) ?? 0) + 1);
      if (test(log)) {
        if (regexFilter) {
          regexFilter.add(log);
        } else {
          shown.push(log);
        }
      }
    }
    regexFilter?.next();
    showCounts();
  }

  let chipKey = "";
  function showCounts() {
    const rows = session.rows.filter((row) => counts.has(row) || settings.rows.includes(row) || row.startsWith("extension"));
    const key = JSON.stringify([rows, settings.rows]);
    if (key !== chipKey) {
      chipKey = key;
      const focused = chips.contains(document.activeElement) ? document.activeElement.dataset.row : null;
      chips.replaceChildren(...rows.map((row) => el("button", {
        type: "button", class: `chip ${rowClass(session, row)}`, title: `Only ${row}`, "aria-pressed": String(settings.rows.includes(row)), "data-row": row,
        onclick: () => set({ rows: settings.rows.includes(row) ? settings.rows.filter((other) => other !== row) : [...settings.rows, row] }),
      }, el("span", { class: "swatch", "aria-hidden": "true" }), shortName(row), " ", el("span", { class: "count" }))));
      if (focused !== null) {
        [...chips.children].find((chip) => chip.dataset.row === focused)?.focus();
      }
    }
    rows.forEach((row, index) => {
      chips.children[index].lastElementChild.textContent = numberFormat.format(counts.get(row) ?? 0);
    });
    const all = session.logs.length;
    summary.textContent = shown.length === all ? formatCount(all, "line") : `${numberFormat.format(shown.length)} of ${formatCount(all, "line")}`;
    list.element.hidden = shown.length === 0;
    empty.hidden = shown.length > 0;
    const noSelection = settings.selected && selectedInvocation() === null;
    empty.textContent = all === 0 ? "Nothing has been printed yet." : noSelection ? "No invocation is selected." : regexFilter?.isClosed ? "Not all lines have been tested." : regexFilter?.isBusy ? "Searching…" : "No line matches the filters.";
  }

  function showToggles() {
    for (const button of toggles) {
      button.setAttribute("aria-pressed", String(settings[button.dataset.setting]));
    }
  }

  let selection = view.selection;
  let selectedEnd = null;
  app.logOfSelection = () => set({ selected: true, follow: false });
  session.onChange(() => {
    const invocation = settings.selected ? selectedInvocation() : null;
    if (session.id !== sessionId) {
      // The IDs start again.
      sessionId = session.id;
      expanded.clear();
    }
    if (session.generation !== generation || (invocation && invocation.doneId !== selectedEnd)) {
      generation = session.generation;
      selectedEnd = invocation?.doneId ?? null;
      refilter();
    } else {
      filterNew();
      list.update();
    }
  });
  view.onChange(() => {
    if (view.selection !== selection) {
      selection = view.selection;
      if (settings.selected) {
        refilter();
      }
    }
  });
  query.value = settings.query;
  stream.value = settings.stream;
  refilter();
  return el("div", { class: "list-panel logs" },
    el("div", { class: "list-tools" }, chips,
      el("div", { class: "tool-row" }, query, stream),
      error,
      el("div", { class: "tool-row" }, summary, announcement, toggles,
        copyButton(shownText, "Copy", "Copy the shown lines"),
        el("button", { type: "button", class: "quiet small", "aria-label": "Download the shown lines", onclick: () => downloadText("log.txt", shownText()) }, "Download"))),
    list.element, empty);
}

/// Formats a time since the start so that times of all lines have the same form: "12.345 s".
function formatOffset(t) {
  return `${(t / 1000).toFixed(3)} s`;
}
