// The head of the page: the state of the instance, counters, notices, the theme, and the help.

const THEMES = [["system", "◐"], ["light", "☀"], ["dark", "☾"]];
const THEME_KEY = "cargo-fg-theme";
const KEYS_KEY = "cargo-fg-keys";

const byId = (id) => document.getElementById(id);

/// Returns the state that the head shows: a name for the style sheet, and a text.
function shownState(session, source) {
  if (!source.live) {
    return ["stored", "recording"];
  }
  if (!source.connected) {
    return session.id === null ? ["connecting", "connecting"] : ["disconnected", "disconnected"];
  }
  const { state } = source;
  if (state?.mode === "check" || session.info?.command === "check") {
    return session.report || session.ended ? ["ended", "finished"] : ["booting", "checking"];
  }
  if (isShuttingDown(source)) {
    return ["booting", "shutting down"];
  }
  if (state?.instance === "up" && state.frozen) {
    return ["frozen", "frozen"];
  }
  if (state?.building) {
    return ["building", "building"];
  }
  const isDown = state?.instance === "ended" || session.instance()?.downT !== null;
  return { booting: ["booting", "booting"], up: ["up", "up"] }[state?.instance] ?? (session.instance() && isDown ? ["ended", "shut down"] : ["none", "no instance"]);
}

/// Creates the head of a run. Returns what updates it.
function createHeader(app) {
  const { session, source } = app;
  const show = (select) => {
    select();
    app.view.showTab("detail");
  };
  const failed = el("button", { class: "quiet bad", type: "button", title: "Next failed invocation (})", onclick: () => show(() => app.timeline.stepFailed(1)) });
  const counter = (attributes) => el("span", attributes);
  const lost = el("button", { class: "quiet bad", type: "button", title: "Next loss of telemetry", onclick: () => show(() => app.timeline.stepLost()) });
  const [invocations, dropped] = [counter(), counter({ title: "The oldest entries, which no longer fit into memory" })];
  byId("counters").replaceChildren(invocations, failed, lost, dropped);
  const state = el("span", { class: "state" });
  byId("status").replaceChildren(state);
  createActions(app);

  const set = (element, text, shown = true) => {
    element.hidden = !shown;
    setText(element, text);
  };
  return () => {
    const { info } = session;
    const command = `cargo fg ${info?.command ?? ""}`.trim();
    const directory = text(info?.directory).split(/[/\\]/).filter(Boolean).pop() ?? "";
    // Whoever receives a file wants to know where and when it was made.
    const origin = info ? `${text(info.directory)}, ${new Date(number(info.epoch_ms)).toLocaleString()}, cargo fg ${text(info.version)}` : "";
    if (byId("name").title !== origin || byId("name").dataset.command !== command) {
      byId("name").replaceChildren(command, directory ? el("span", { class: "muted" }, ` ${directory}`) : "");
      byId("name").title = origin;
      byId("name").dataset.command = command;
      document.title = directory ? `${directory} – ${command}` : command;
    }
    const [name, label] = shownState(session, source);
    state.dataset.state = name;
    set(state, label);
    set(invocations, formatCount(session.invocations.length, "invocation"), command !== "cargo fg check");
    set(failed, `${numberFormat.format(session.failed)} failed`, session.failed > 0);
    set(lost, `${formatCount(session.lostEvents, "event")} lost`, session.lostEvents > 0);
    set(dropped, `${formatCount(session.dropped, "entry", "entries")} dropped`, session.dropped > 0);
    showConnection(session, source);
    showFailure(session, source);
  };
}

/// Shows the last failure until it is repaired, or dismissed. A file shows what had failed at the end of its run.
function showFailure({ id, failure }, { live, connected }) {
  if ((live && !connected) || !failure) {
    dismiss("failure");
    delete byId("notices").dataset.failure;
    return;
  }
  const shown = `${id} ${failure.id}`;
  if (byId("notices").dataset.failure !== shown) {
    byId("notices").dataset.failure = shown;
    notify("failure", failure.message, { kind: "error" });
  }
}

function showConnection(session, source) {
  if (!source.live || source.connected) {
    dismiss("connection");
  } else if (session.id !== null) {
    const what = `cargo fg ${session.info?.command ?? ""}`.trim();
    notify("connection", `${what} has stopped; what you see is the last state. Trying to connect again…`, { kind: "error", permanent: true });
  }
}

/// Shows a notice, in place of the one with the same key.
function notify(key, message, { kind = "", permanent = false, children = [] } = {}) {
  const existing = document.querySelector(`.notice[data-key="${key}"]`);
  if (existing?.dataset.message === message && permanent) {
    return;
  }
  const line = el("div", { class: `notice ${kind}`, "data-key": key, "data-message": message }, el("span", {}, visibleText(message)), ...children,
    permanent ? null : el("button", { class: "quiet", type: "button", onclick: () => line.remove() }, "Dismiss"));
  if (existing) {
    existing.replaceWith(line);
  } else {
    byId("notices").append(line);
  }
}

function dismiss(key) {
  document.querySelector(`.notice[data-key="${key}"]`)?.remove();
}

function createActions(app) {
  const picker = el("input", {
    type: "file", hidden: true, multiple: true, "aria-label": "Recording", onchange: async () => {
      await openFiles(app, [...picker.files]);
      picker.value = "";
    },
  });
  const nextTheme = () => THEMES[(THEMES.findIndex(([name]) => name === currentTheme()) + 1) % THEMES.length][0];
  const theme = el("button", { class: "icon", type: "button", onclick: () => showTheme(nextTheme()) });
  const showTheme = (name) => {
    setTheme(name);
    theme.textContent = THEMES.find(([other]) => other === name)[1];
    theme.title = `Theme: ${name}`;
    theme.setAttribute("aria-label", theme.title);
  };
  byId("actions").replaceChildren(
    picker,
    el("button", { type: "button", title: "Open a recording or an exported page. You can also drop it here.", onclick: () => picker.click() }, "Open recording"),
    el("button", { type: "button", hidden: !app.source.live, title: "Download this page as one file", onclick: downloadExport }, "Export"),
    theme,
    el("button", { class: "icon", type: "button", title: "Keyboard shortcuts (?)", "aria-label": "Keyboard shortcuts", onclick: showHelp }, "?"),
  );
  showTheme(currentTheme());
}

function currentTheme() {
  const stored = readStored("localStorage", THEME_KEY);
  return THEMES.some(([name]) => name === stored) ? stored : "system";
}

function setTheme(name) {
  store("localStorage", THEME_KEY, name);
  document.documentElement.dataset.theme = name;
  document.dispatchEvent(new Event("themechange"));
}

async function downloadExport(event) {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    const response = await fetch("api/export");
    if (!response.ok) {
      throw new Error((await response.json().catch(() => ({}))).error ?? `status ${response.status}`);
    }
    const name = /filename="?([^";]+)/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? "cargo-fg.html";
    const url = URL.createObjectURL(await response.blob());
    el("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    dismiss("export");
  } catch (error) {
    const reason = error instanceof TypeError ? "cargo fg does not respond; is it still running?" : error.message;
    notify("export", `cannot export: ${reason}`, { kind: "error" });
  }
  button.disabled = false;
}

async function openFiles(app, files) {
  let opened = null;
  for (const file of files) {
    try {
      opened = await app.addRun(file);
      dismiss("open");
    } catch (error) {
      notify("open", error.message, { kind: "error" });
    }
  }
  if (opened) {
    app.show(opened);
  }
}

/// Lets the user choose between the runs, if there are several.
function showRuns(app, shown) {
  if (app.runs.length < 2) {
    return;
  }
  const select = el("select", { "aria-label": "Run", onchange: () => app.show(app.runs[select.selectedIndex]) },
    ...app.runs.map((run) => el("option", { selected: run === shown }, run.name)));
  const back = shown === app.runs[0] ? null : el("button", { type: "button", onclick: () => app.show(app.runs[0]) }, `Back to ${app.runs[0].name}`);
  const hasFocus = document.activeElement?.closest(".notice[data-key=runs] select");
  dismiss("runs");
  notify("runs", "You are looking at", { permanent: true, children: [select, back] });
  if (hasFocus) {
    select.focus();
  }
}

/// Accepts files that are dropped anywhere.
function acceptDrops(app) {
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (hasFiles(event)) {
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      document.body.classList.add("dropping");
    }
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) {
      document.body.classList.remove("dropping");
    }
  });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    if (hasFiles(event)) {
      event.preventDefault();
      openFiles(app, [...event.dataTransfer.files]);
    }
  });
}

function showHelp() {
  const enabled = el("input", { type: "checkbox", id: "keys-enabled", checked: keysEnabled(), onchange: () => store("localStorage", KEYS_KEY, enabled.checked) });
  const row = (keys, help) => [el("dt", {}, ...keys.map((key) => el("kbd", {}, key))), el("dd", {}, help)];
  const close = () => byId("help").close();
  byId("help").replaceChildren(
    el("h2", { id: "help-title" }, "Keyboard and mouse"),
    el("dl", { class: "keys" },
      ...TIMELINE_KEYS.filter(({ focus }) => !focus).map(({ shown, help }) => row(shown, help)),
      ...row(["/"], "search the log"), ...row(["?"], "this help")),
    el("h3", {}, "While the timeline has the focus"),
    el("dl", { class: "keys" }, ...TIMELINE_KEYS.filter(({ focus }) => focus).map(({ shown, help }) => row(shown, help))),
    el("h3", {}, "Mouse and touch"),
    el("dl", { class: "keys" },
      ...row(["wheel"], "zoom; with two fingers: pinch"), ...row(["Shift", "wheel"], "pan; or drag"),
      ...row(["double click"], "zoom to what is there")),
    el("p", {}, el("label", {}, enabled, " Use shortcuts with a single key everywhere, not only in the timeline")),
    el("button", { class: "primary", type: "button", onclick: close }, "Close"),
  );
  byId("help").showModal();
}

function keysEnabled() {
  return readStored("localStorage", KEYS_KEY) !== false;
}

/// Handles the keys that work everywhere, except in fields.
function handleGlobalKeys(app) {
  document.addEventListener("keydown", (event) => {
    const inField = event.target.closest?.("input, textarea, select, [contenteditable], dialog");
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || inField || !keysEnabled()) {
      return;
    }
    if (event.key === "?") {
      showHelp();
    } else if (event.key === "/") {
      app.view.showTab("logs");
      afterFrame(() => byId("logs").querySelector("input")?.focus());
    } else if (!handleKey(app.timeline, event, false)) {
      return;
    }
    event.preventDefault();
  });
}
