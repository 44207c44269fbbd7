// Puts the page together.

const TABS = [
  ["invocations", "Invocations"], ["detail", "Details"], ["logs", "Logs"], ["controls", "Controls"], ["compare", "Compare"], ["report", "Report"],
];
const THEME_KEY = "cargo-fg-theme";
const byId = (id) => document.getElementById(id);

/// What every panel receives. `session` and `source` change when another run is shown; then all panels are created again.
const app = {
  session: null, source: null, view: new View(),
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
    for (const listener of [...this.runListeners]) {
      listener();
    }
    return run;
  },
  /// Shows one of the runs.
  show(run) {
    this.session?.listeners.clear();
    this.source?.listeners.clear();
    this.view.listeners.clear();
    this.runListeners.clear();
    this.session = run.session;
    this.source = run.source;
    mount(this, run);
  },
};

function mount(app, run) {
  const { session, source, view } = app;
  view.attach(session.id);
  const panels = {
    timeline: typeof createTimeline === "undefined" ? null : createTimeline,
    invocations: typeof createInvocations === "undefined" ? null : createInvocations,
    detail: typeof createDetail === "undefined" ? null : createDetail,
    logs: typeof createLogs === "undefined" ? null : createLogs,
    controls: typeof createControls === "undefined" ? null : createControls,
    compare: typeof createCompare === "undefined" ? null : createCompare,
    report: typeof createReport === "undefined" ? null : createReport,
  };
  for (const [id, create] of Object.entries(panels)) {
    byId(id).replaceChildren(create ? create(app) : el("p", { class: "muted" }, id));
  }
  createTabs(app);
  const header = createHeader(app, run);
  let id = session.id;
  session.onChange(() => {
    if (session.id !== id) {
      if (id !== null) {
        header.notice("cargo fg was restarted: this is a new run.");
      }
      id = session.id;
      view.attach(id);
    }
    header.update();
  });
  source.onState(header.update);
  header.update();
}

function createTabs(app) {
  const { session, source, view } = app;
  const wide = matchMedia("(min-width: 900px)");
  const buttons = new Map(TABS.map(([name, title]) => [name, el("button", {
    type: "button", role: "tab", "aria-controls": name, onclick: () => view.showTab(name),
  }, title)]));
  const tabs = byId("tabs");
  tabs.replaceChildren(...buttons.values());
  tabs.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const shown = TABS.map(([name]) => name).filter((name) => !buttons.get(name).hidden);
    if (step) {
      const index = shown.findIndex((name) => buttons.get(name) === document.activeElement);
      const name = shown[(index + step + shown.length) % shown.length];
      view.showTab(name);
      buttons.get(name).focus();
      event.preventDefault();
    }
  };
  // In a wide window, the invocations and the controls have places of their own.
  let inPlace = "detail";
  const update = () => {
    const check = session.info?.command === "check";
    const controls = source.live && !check;
    const available = (name) => (name !== "controls" || controls) && (name !== "report" || check)
      && !(wide.matches && (name === "invocations" || name === "controls"));
    if (available(view.tab)) {
      inPlace = view.tab;
    }
    const tab = available(view.tab) ? view.tab : available(inPlace) && wide.matches ? inPlace : wide.matches ? "detail" : "invocations";
    byId("main").classList.toggle("no-controls", !controls);
    for (const [name, button] of buttons) {
      button.hidden = !available(name);
      button.setAttribute("aria-selected", String(name === tab));
      button.tabIndex = name === tab ? 0 : -1;
      byId(name).hidden = name !== tab && !(wide.matches && (name === "invocations" || (name === "controls" && controls)));
    }
  };
  view.onChange(update);
  session.onChange(update);
  wide.onchange = update;
  update();
}

function createHeader(app, run) {
  const { session, source } = app;
  const picker = el("input", { type: "file", hidden: true, accept: ".html,.htm,.json,.jsonl,.txt,.rec,*/*", onchange: () => open(picker.files) });
  const open = async (files) => {
    for (const file of files) {
      try {
        app.show(await app.addRun(file));
      } catch (error) {
        notice(error.message, "error");
      }
    }
    picker.value = "";
  };
  const notice = (message, kind = "") => {
    const line = el("div", { class: `notice ${kind}` }, el("span", {}, message),
      el("button", { class: "quiet", type: "button", onclick: () => line.remove() }, "Dismiss"));
    byId("notices").append(line);
  };
  byId("actions").replaceChildren(
    picker,
    el("button", { type: "button", onclick: () => picker.click() }, "Open recording"),
    ...(source.live ? [el("a", { class: "button", href: "api/export", download: true }, "Export")] : []),
  );
  const update = () => {
    byId("status").replaceChildren(el("span", { class: "state", "data-state": source.state?.instance ?? "none" }, source.state?.instance ?? run.name));
    byId("counters").replaceChildren(el("span", {}, formatCount(session.invocations.length, "invocation")));
  };
  return { update, notice };
}

function start() {
  const embedded = readEmbedded(document);
  const session = embedded?.session ?? new Session();
  const run = { name: "this run", session, source: embedded?.source ?? new LiveSource(session) };
  app.runs.push(run);
  app.show(run);
}

start();
