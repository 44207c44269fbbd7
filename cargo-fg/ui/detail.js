// The details of what is selected.

/// A part of the page that is created again only if its key changes, so that what the user has expanded stays expanded.
class Slot {
  constructor() {
    this.element = el("div", { class: "slot" });
    this.key = undefined;
  }

  set(key, create) {
    if (key !== this.key) {
      this.key = key;
      this.element.replaceChildren(...[create()].flat(Infinity).filter(Boolean));
    }
  }
}

/// Details that were loaded, so that going back and forth does not load them again.
const LOADED_DETAILS = 50;

class DetailCache {
  constructor({ session, source }) {
    this.session = session;
    this.source = source;
    this.promises = new Map();
  }

  load(id) {
    // The IDs start again when the command is restarted.
    const key = `${this.session.id} ${id}`;
    const known = this.promises.get(key);
    if (known) {
      return known;
    }
    const promise = this.source.detail(id);
    this.promises.set(key, promise);
    // A failed request is repeated when the user asks for it.
    promise.catch(() => this.promises.delete(key));
    if (this.promises.size > LOADED_DETAILS) {
      this.promises.delete(this.promises.keys().next().value);
    }
    return promise;
  }
}

/// Returns an element that shows the details of an entry as soon as they are loaded.
function withDetail(cache, id, create) {
  const place = el("div", { class: "loading", "aria-busy": "true" }, el("p", { class: "muted" }, "Loading…"));
  const load = async () => {
    let content;
    try {
      const detail = await cache.load(id);
      content = detail === null ? el("p", { class: "muted" }, notStored(cache.source))
        : attempt(() => create(detail)) ?? el("p", { class: "inline-error" }, "This is damaged, and cannot be shown.");
    } catch {
      content = el("p", { class: "inline-error" }, "Cannot load this: cargo fg does not respond. ",
        el("button", { type: "button", class: "small", onclick: load }, "Try again"));
    }
    place.removeAttribute("aria-busy");
    place.replaceChildren(...[content].flat(Infinity).filter(Boolean));
  };
  load();
  return place;
}

/// Says why there are no details.
function notStored({ live }) {
  return live ? "No longer stored: newer data has replaced it." : "It is not in the file.";
}

function section(title, ...children) {
  return el("section", { class: "detail-section" }, el("h3", {}, title), ...children);
}

function createDetail(app) {
  const { session, source, view } = app;
  const cache = new DetailCache(app);
  const root = el("div", { class: "detail-panel" });
  let shown;
  let refresh = null;

  /// Shows what is selected, or refreshes it.
  function update() {
    if (root.offsetParent === null) {
      return;
    }
    const { selection } = view;
    const key = selection ? `${session.id} ${session.generation} ${selection.kind} ${selection.n ?? selection.id}` : `${session.id}`;
    if (key !== shown) {
      shown = key;
      refresh = null;
      const content = selection ? select(selection) : nothingSelected(app);
      root.replaceChildren(...[content.elements ?? content].flat(Infinity));
      refresh = content.refresh ?? null;
      root.scrollTop = 0;
      byId("detail").scrollTop = 0;
    }
    refresh?.();
  }

  function select({ kind, n, id }) {
    const find = (elements) => elements.find((element) => element.id === id);
    const found = { invocation: () => session.invocation(n), delivery: () => find(session.deliveries),
      mark: () => find(session.marks), attempt: () => find(session.attempts) }[kind]?.();
    if (!found) {
      // It may arrive later: the page has been reloaded, and the entries are still being received.
      shown = undefined;
      return el("p", { class: "empty" }, kind === "invocation" ? `Invocation #${n} is not in this run, or no longer stored.` : "This is no longer stored.");
    }
    const show = { invocation: invocationDetail, delivery: deliveryDetail, mark: markDetail, attempt: markDetail }[kind];
    return show(app, cache, found);
  }

  view.onChange(update);
  session.onChange(update);
  source.onState(update);
  new ResizeObserver(update).observe(root);
  return root;
}

/// Says how to select something, and offers what is most interesting.
function nothingSelected({ session, view }) {
  const text = el("p", {}, "Select an invocation, a delivery or a mark in the timeline or in the list.");
  const go = (invocation) => () => view.select({ kind: "invocation", n: invocation.n });
  const places = new Slot();
  const refresh = () => {
    const newest = session.invocations[session.invocations.length - 1];
    const failed = session.invocations.findLast(({ ok }) => ok === false);
    const slowest = session.invocations.reduce((slow, invocation) => ((invocation.d ?? 0) > (slow?.d ?? 0) ? invocation : slow), null);
    places.set(`${newest?.n} ${failed?.n} ${slowest?.n}`, () => el("div", { class: "button-row" },
      newest && el("button", { type: "button", onclick: go(newest) }, "The newest"),
      slowest && el("button", { type: "button", onclick: go(slowest) }, `The slowest: ${formatMs(slowest.d)}`),
      failed && el("button", { type: "button", onclick: go(failed) }, "The last failure")));
  };
  return { elements: [el("div", { class: "empty" }, text, places.element)], refresh };
}

/// The details of a delivery of telemetry.
function deliveryDetail({ session, view }, cache, delivery) {
  const { id, t, d, events, bytes, status, types, traceIds } = delivery;
  const failed = attemptsOf(session, delivery);
  const invocations = traceIds.map((traceId) => session.byTrace.get(traceId)).filter(Boolean);
  return [
    el("header", { class: "detail-head" }, el("h2", {}, "Delivery of telemetry"), el("span", { class: `badge ${status < 300 ? "ok" : "bad"}` }, `status ${status}`)),
    facts([
      ["Started", formatClock(session, t)], ["Took", formatMs(d)], ["Events", numberFormat.format(events)], ["Size", formatBytes(bytes)],
      ["Types", Object.entries(types).map(([type, count]) => `${type} × ${count}`).join(", ") || "–"],
      ["Invocations", invocations.length === 0 ? "–" : invocationLinks(view, invocations)],
    ]),
    failed.length > 0 && section("Earlier failed attempts", el("ul", { class: "plain-list" }, failed.map((post) =>
      el("li", {}, `${formatClock(session, post.t)}, after ${formatMs(post.d)}: ${visibleText(post.reason)}`)))),
    section("Events in order of arrival", withDetail(cache, id, (detail) => eventList(detail.body ?? "", null))),
  ].filter(Boolean);
}

function invocationLinks(view, invocations) {
  const links = invocations.slice(0, 20).map(({ n }) => el("button", { type: "button", class: "link", onclick: () => view.select({ kind: "invocation", n }) }, `#${n}`));
  return el("span", { class: "links" }, links, invocations.length > 20 ? ` and ${numberFormat.format(invocations.length - 20)} more` : null);
}

const MARK_TITLES = {
  fault: "Fault", lost: "Lost telemetry", rejected: "Rejected request", exited: "Exit", subscribed: "Subscription",
  changed: "Saved files", build: "Build", failed: "Failure", warning: "Warning", end: "Failure of the run",
};

/// The details of a mark, or of a failed attempt to deliver telemetry.
function markDetail({ session, view, source }, cache, mark) {
  const title = mark.kind === undefined ? "Failed delivery of telemetry" : MARK_TITLES[mark.kind] ?? mark.kind;
  const message = mark.text ?? `${formatCount(mark.events, "event")} ${mark.events === 1 ? "was" : "were"} not acknowledged after ${formatMs(mark.d)}: ${mark.reason}`;
  const loss = mark.kind === "lost" ? session.losses.find(({ id }) => id === mark.id) : null;
  const about = (loss?.traceIds ?? []).map((traceId) => session.byTrace.get(traceId)).filter(Boolean);
  const inFlight = session.invocations.filter((invocation) => invocation.t <= mark.t && endOf(session, invocation) >= mark.t);
  return [
    el("header", { class: "detail-head" }, el("h2", {}, title)),
    el("p", { class: "mark-text" }, visibleText(message)),
    facts([
      ["Time", formatClock(session, mark.t)], mark.row && ["Row", mark.row],
      about.length > 0 && ["Invocations", invocationLinks(view, about)],
      ["In flight", inFlight.length === 0 ? "no invocation" : invocationLinks(view, inFlight)],
    ]),
    mark.kind === "lost" && section("Lost events", withDetail(cache, mark.id, (detail) => lostBody(session, mark, detail.body))),
  ].filter(Boolean);
}

/// Lists the events that were lost.
function lostBody(session, mark, body) {
  const count = session.losses.find(({ id }) => id === mark.id)?.events ?? 0;
  const stored = typeof body === "string" ? splitJsonArray(body)?.length ?? count : count;
  return [
    stored < count ? el("p", { class: "muted" }, `Only the first ${numberFormat.format(stored)} of ${formatCount(count, "event")} are stored.`) : null,
    ...eventList(body ?? "", null),
  ];
}

/// A list of names and values.
function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/// How many events are listed at first.
const SHOWN_EVENTS = 100;

/// Lists the telemetry events of a delivery. With an invocation, its own events come first.
function eventList(body, invocation) {
  const events = typeof body === "string" ? splitJsonArray(body) : null;
  if (events === null) {
    return [el("p", { class: "muted" }, "The body is not a list of events."), ...bodyOrBinary(body, "telemetry.json")];
  }
  const numbered = events.map((json, index) => ({ event: JSON.parse(json), index, json }));
  if (!invocation) {
    return eventRows(numbered);
  }
  const own = numbered.filter(({ json }) => json.includes(JSON.stringify(invocation.traceId).slice(1, -1)));
  const others = numbered.filter((event) => !own.includes(event));
  return [
    ...eventRows(own),
    others.length === 0 ? null : el("details", { class: "others", ontoggle: (event) => fillOnce(event.currentTarget, () => eventRows(others)) },
      el("summary", {}, `${formatCount(others.length, "other event")} in the same delivery`)),
  ].filter(Boolean);
}

/// Creates the contents of a `details` element when it is opened for the first time.
function fillOnce(details, create) {
  if (details.open && details.childElementCount === 1) {
    details.append(...[create()].flat(Infinity).filter(Boolean));
  }
}

function eventRows(events) {
  const list = el("ol", { class: "events" });
  const more = el("button", { type: "button", class: "small", onclick: () => show(list.childElementCount + SHOWN_EVENTS) });
  const show = (count) => {
    for (const { event, index, json } of events.slice(list.childElementCount, count)) {
      list.append(el("li", {}, el("details", { ontoggle: (toggled) => fillOnce(toggled.currentTarget, () => bodyView(json, `event-${index + 1}.json`)) },
        el("summary", {}, el("span", { class: "event-index" }, String(index + 1)), el("span", { class: "event-type" }, eventType(event)),
          el("span", { class: "event-text" }, eventText(event))))));
    }
    more.hidden = list.childElementCount >= events.length;
    more.textContent = `Show more of ${formatCount(events.length, "event")}`;
  };
  show(SHOWN_EVENTS);
  return [list, more];
}

function eventType(event) {
  return visibleText(String(event?.name ?? event?.type ?? typeof event)).slice(0, 60);
}

/// Returns what distinguishes an event in one line.
function eventText(event) {
  if (event === null || typeof event !== "object") {
    return visibleText(String(event)).slice(0, 200);
  }
  if (typeof event.record === "string") {
    return visibleText(event.record).slice(0, 200);
  }
  const { name, type, time, ...rest } = event;
  // What is nested too deeply cannot be converted.
  return visibleText(attempt(() => JSON.stringify(rest)) ?? "").slice(0, 200);
}
