// Puts the page together.

const TABS = [
  ["report", "Report"], ["invocations", "Invocations"], ["detail", "Details"], ["logs", "Logs"], ["controls", "Controls"], ["compare", "Compare"],
];

/// What every panel receives. `session` and `source` change when another run is shown; then all panels are created again.
const app = {
  session: null,
  source: null,
  view: new View(),
  timeline: null,
  run: null,
  /// All runs that are loaded: `{name, session, source}`. The first one is the run that the page was opened for.
  runs: [],
  runListeners: new Set(),
  /// Calls `listener` when a run was added.
  onRuns(listener) {
    this.runListeners.add(listener);
  },
  /// Reads a recording or an exported page, and adds it to the runs. Rejects with an error that can be shown.
  async addRun(file) {
    const run = { name: file.name, ...await readFile(file) };
    this.runs.push(run);
    showRuns(this, this.run);
    for (const listener of [...this.runListeners]) {
      listener();
    }
    return run;
  },
  /// Shows one of the runs.
  show(run) {
    if (this.run) {
      this.run.window = this.view.window();
      for (const { listeners } of [this.session, this.source, this.view]) {
        listeners.clear();
      }
      this.runListeners.clear();
    }
    this.run = run;
    this.session = run.session;
    this.source = run.source;
    mount(this);
    showRuns(this, run);
  },
};

function mount(app) {
  const { session, source, view } = app;
  view.attach(session.id, app.run.window);
  const panels = {
    timeline: createTimeline, invocations: createInvocations, detail: createDetail, logs: createLogs, controls: createControls,
    compare: createCompare, report: createReport,
  };
  for (const [id, create] of Object.entries(panels)) {
    byId(id).replaceChildren(create(app));
  }
  const updateTabs = createTabs(app);
  const updateHeader = createHeader(app);
  let { id, info } = session;
  const start = () => {
    if (session.info?.command === "check" && !view.restored) {
      view.showTab("report");
    }
  };
  session.onChange(() => {
    if (session.id !== id) {
      if (id !== null) {
        notify("restart", `cargo fg ${session.info?.command ?? ""} was restarted: this is a new run.`);
      }
      id = session.id;
      view.attach(id);
    }
    if (session.info !== info) {
      info = session.info;
      start();
    }
    updateHeader();
    updateTabs();
  });
  source.onState(() => {
    updateHeader();
    updateTabs();
  });
  start();
  updateHeader();
  updateTabs();
}

const wide = matchMedia("(min-width: 900px)");

/// Creates the tabs. In a wide window, the invocations and the controls have places of their own.
function createTabs({ session, source, view }) {
  const buttons = new Map(TABS.map(([name, title]) => [name, el("button", {
    type: "button", role: "tab", id: `tab-${name}`, "aria-controls": name, onclick: () => view.showTab(name),
  }, title)]));
  let inPlace = "detail";
  const update = () => {
    const isCheck = session.info?.command === "check";
    const hasControls = source.live && !isCheck;
    const hasPlace = (name) => wide.matches && !isCheck && (name === "invocations" || (name === "controls" && hasControls));
    // A check has a report, and nothing else.
    const isAvailable = (name) => (name === "report") === isCheck && !hasPlace(name) && (name !== "controls" || hasControls);
    if (isAvailable(view.tab)) {
      inPlace = view.tab;
    }
    const tab = [view.tab, inPlace, "detail", "report"].find(isAvailable);
    byId("main").classList.toggle("no-controls", !hasControls);
    byId("main").classList.toggle("report-only", isCheck);
    byId("timeline").hidden = isCheck;
    byId("tabs").hidden = isCheck;
    for (const [name, button] of buttons) {
      button.hidden = !isAvailable(name);
      button.setAttribute("aria-selected", String(name === tab));
      button.tabIndex = name === tab ? 0 : -1;
      byId(name).hidden = name !== tab && !hasPlace(name);
      byId(name).setAttribute("role", hasPlace(name) || isCheck ? "region" : "tabpanel");
    }
  };
  const tabs = byId("tabs");
  tabs.replaceChildren(...buttons.values());
  tabs.onkeydown = (event) => {
    const shown = [...buttons.keys()].filter((name) => !buttons.get(name).hidden);
    const index = shown.findIndex((name) => buttons.get(name) === document.activeElement);
    const target = {
      ArrowRight: (index + 1) % shown.length, ArrowLeft: (index - 1 + shown.length) % shown.length, Home: 0, End: shown.length - 1,
    }[event.key];
    if (target !== undefined) {
      view.showTab(shown[target]);
      buttons.get(shown[target]).focus();
      event.preventDefault();
      event.stopPropagation();
    }
  };
  view.onChange(update);
  wide.onchange = update;
  return update;
}

/// Returns the run that the page was opened for: the one that it contains, or the one of the server.
function openedRun() {
  const session = new Session();
  try {
    return readEmbedded() ?? { session, source: new LiveSource(session) };
  } catch {
    notify("open", "The data of this page is damaged; export the run again.", { kind: "error", permanent: true });
    return { session, source: new StoredSource(new Map()) };
  }
}

function start() {
  setTheme(currentTheme());
  const run = { name: "this run", ...openedRun() };
  app.runs.push(run);
  app.show(run);
  byId("timeline").after(createSplitter());
  acceptDrops(app);
  handleGlobalKeys(app);
}

start();
