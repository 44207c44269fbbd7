// The list of invocations, with filters.

const INVOCATIONS_KEY = "cargo-fg-invocations";
const INVOCATION_ROW = 42;

/// Returns how an invocation ended: a `kind` for the style, an icon, and a text, so that nothing depends on color alone.
function outcomeOf(invocation) {
  const { ok, function: span, extensions, d } = invocation;
  if (d === null) {
    return { kind: "flight", icon: "…", text: "in flight" };
  }
  if (ok) {
    return span.outcome === "ok" ? { kind: "ok", icon: "✓", text: "ok" } : { kind: "requested", icon: "!", text: `${span.outcome}, as requested` };
  }
  if (isCanceled(invocation)) {
    return { kind: "bad", icon: "✕", text: "canceled" };
  }
  if (span.outcome !== "ok" && span.outcome !== invocation.outcome) {
    return { kind: "bad", icon: "✕", text: span.outcome };
  }
  const failed = extensions.filter(({ status }) => status !== 200);
  if (failed.length === 0) {
    const wanted = invocation.outcome ?? "ok";
    return { kind: "bad", icon: "✕", text: span.outcome === wanted ? span.outcome : `${span.outcome}, not ${wanted}` };
  }
  return { kind: "bad", icon: "✕", text: failed[0].status === null ? "no response" : `status ${failed[0].status}` };
}

/// Returns the name of an extension without what all names have in common: "AuditLog" for "extensionAuditLog.sh".
function shortName(row) {
  return /^extension(.+)\.sh$/.exec(row)?.[1] ?? row;
}

/// Returns what the text filter searches in.
function searchTextOf(invocation) {
  const { n, traceId, payload, function: span, extensions } = invocation;
  const errors = extensions.map(({ row, error }) => (error === "" ? "" : `${row} ${error}`));
  return `#${n} ${traceId} ${payload} ${span?.response ?? ""} ${errors.join(" ")}`.toLowerCase();
}

const INVOCATION_FILTERS = {
  all: () => true,
  failed: (session, invocation) => invocation.ok === false,
  slow: isSlow,
};
const INVOCATION_ORDERS = ["newest", "oldest", "slowest"];
const bySlowness = (a, b) => (b.d ?? Infinity) - (a.d ?? Infinity) || a.n - b.n;

function createInvocations(app) {
  const { session, source, view } = app;
  const saved = readStored("sessionStorage", INVOCATIONS_KEY) ?? {};
  const settings = {
    filter: Object.hasOwn(INVOCATION_FILTERS, saved.filter) ? saved.filter : "all",
    order: INVOCATION_ORDERS.includes(saved.order) ? saved.order : "newest",
    text: typeof saved.text === "string" ? saved.text : "",
  };
  let shown = [];
  let longest = 0;
  let lastUpdate = 0;
  let cost = 0;
  let timer = null;

  const chips = Object.keys(INVOCATION_FILTERS).map((name) => el("button", {
    type: "button", class: "chip", onclick: () => set({ filter: name }), "data-filter": name,
  }));
  const search = el("input", {
    type: "search", placeholder: "Text or trace ID", "aria-label": "Filter invocations by text or trace ID", value: settings.text,
    oninput: () => set({ text: search.value }),
  });
  const order = el("select", { "aria-label": "Order of the invocations", onchange: () => set({ order: order.value }) },
    el("option", { value: "newest" }, "Newest first"), el("option", { value: "oldest" }, "Oldest first"), el("option", { value: "slowest" }, "Slowest first"));
  order.value = settings.order;
  const empty = el("p", { class: "empty" });
  const list = new VirtualList({
    label: "Invocations", role: "listbox", rowHeight: INVOCATION_ROW,
    count: () => shown.length,
    key: (index) => `${shown[index].n} ${shown[index].doneId} ${session.generation}`,
    create: (index) => row(shown[index]),
    refresh: (element, index) => refreshRow(element, shown[index]),
    onActive: (index) => view.select({ kind: "invocation", n: shown[index].n }),
    onOpen: () => view.showTab("detail"),
    onScroll: () => {
      list.stick = settings.order === "oldest" ? (list.atBottom() ? "bottom" : null) : list.atTop() ? "top" : null;
    },
  });

  function set(change) {
    Object.assign(settings, change);
    store("sessionStorage", INVOCATIONS_KEY, settings);
    list.element.scrollTop = 0;
    list.stick = settings.order === "oldest" ? "bottom" : "top";
    update();
  }

  function row(invocation) {
    const { n, t, d } = invocation;
    const { kind, icon, text: outcome } = outcomeOf(invocation);
    const slowest = slowestExtension(invocation);
    const last = d === null ? "function" : lastPart(partsOf(invocation)).row;
    const bar = el("span", { class: `inv-bar ${rowClass(session, last)}` });
    const slow = el("span", { class: "visually-hidden", hidden: true }, ", slow");
    const duration = el("span", { class: "inv-d" }, d === null ? "" : formatMs(d), slow);
    const element = el("div", { class: `inv ${kind}` },
      el("span", { class: `outcome ${kind}`, "aria-hidden": "true" }, icon),
      el("span", { class: "inv-n" }, `#${n}`),
      el("span", { class: "inv-time" }, formatClock(session, t)),
      el("span", { class: `inv-outcome ${kind}` }, outcome),
      duration,
      el("span", { class: "inv-track" }, d === null ? null : bar),
      el("span", { class: "inv-slowest", title: slowest ? `${slowest.row} took longest: ${formatMs(slowest.d)}` : null },
        slowest ? [el("span", { class: "visually-hidden" }, ", slowest extension "), el("span", { class: "inv-slowest-name" }, shortName(slowest.row)), el("span", {}, ` ${formatMs(slowest.d)}`)] : ""));
    return Object.assign(element, { parts: { bar, duration, slow } });
  }

  /// Compares an invocation with the others.
  function refreshRow({ parts: { bar, duration, slow } }, invocation) {
    bar.style.width = `${longest > 0 ? ((invocation.d ?? 0) / longest) * 100 : 0}%`;
    const isSlowNow = isSlow(session, invocation);
    duration.classList.toggle("slow", isSlowNow);
    slow.hidden = !isSlowNow;
  }

  function filtered() {
    const needle = settings.text.trim().toLowerCase();
    const wanted = INVOCATION_FILTERS[settings.filter];
    const found = session.invocations.filter((invocation) => wanted(session, invocation) && (needle === "" || searchTextOf(invocation).includes(needle)));
    return settings.order === "oldest" ? found : settings.order === "newest" ? found.reverse() : found.sort(bySlowness);
  }

  function update() {
    clearTimeout(timer);
    timer = null;
    const start = performance.now();
    const anchorIndex = list.indexAt(list.element.scrollTop);
    const anchor = shown[anchorIndex];
    shown = filtered();
    longest = shown.reduce((max, { d }) => Math.max(max, d ?? 0), 0);
    const moved = anchor && list.edge === null ? shown.indexOf(anchor) - anchorIndex : 0;
    const { selection } = view;
    list.active = selection?.kind === "invocation" ? shown.findIndex(({ n }) => n === selection.n) : -1;
    if (moved > 0) {
      list.shift(moved);
    } else {
      list.update();
    }
    updateChips();
    empty.hidden = shown.length > 0;
    empty.textContent = session.invocations.length === 0 ? (source.live ? "No invocations yet." : "No invocations.") : "No invocation matches the filter.";
    list.element.hidden = shown.length === 0;
    lastUpdate = performance.now();
    cost = lastUpdate - start;
  }

  function updateChips() {
    const slow = session.invocations.reduce((count, invocation) => count + (isSlow(session, invocation) ? 1 : 0), 0);
    const counts = { all: session.invocations.length, failed: session.failed, slow };
    const titles = { all: "All", failed: "Failed", slow: "Slow" };
    for (const chip of chips) {
      const name = chip.dataset.filter;
      chip.setAttribute("aria-pressed", String(name === settings.filter));
      chip.replaceChildren(`${titles[name]} `, el("span", { class: "count" }, numberFormat.format(counts[name])));
    }
  }

  /// Updates at most so often that it takes a tenth of the time.
  function soon() {
    const wait = lastUpdate + 10 * cost - performance.now();
    if (wait <= 0) {
      update();
    } else {
      timer ??= setTimeout(update, wait);
    }
  }

  let selected;
  session.onChange(soon);
  view.onChange(() => {
    const { selection } = view;
    if (selection === selected) {
      return;
    }
    selected = selection;
    const index = selection?.kind === "invocation" ? shown.findIndex(({ n }) => n === selection.n) : -1;
    list.setActive(index);
  });
  list.stick = settings.order === "oldest" ? "bottom" : "top";
  update();
  return el("div", { class: "list-panel" },
    el("div", { class: "list-tools" },
      el("div", { class: "chips", role: "group", "aria-label": "Which invocations" }, chips),
      el("div", { class: "tool-row" }, search, order)),
    list.element, empty);
}
