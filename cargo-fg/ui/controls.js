// The controls of the instance.

const CONTROLS_KEY = "cargo-fg-controls";
const MAX_CONCURRENCY = 1000;
const MAX_COUNT = 1_000_000;
/// A larger payload is not remembered.
const REMEMBERED_PAYLOAD = 100_000;

/// Returns why the function cannot be invoked now, or `null` if it can.
function whyNotInvoke(source) {
  const why = whyNotControl(source);
  if (why !== null || source.state.instance === "up") {
    return why;
  }
  return source.state.instance === "booting" ? "the instance is booting" : source.state.building ? "a build is running" : "no instance runs; rebuild boots one";
}

/// Returns why nothing can be controlled now, or `null`.
function whyNotControl(source) {
  if (!source.connected) {
    return "no connection to cargo fg";
  }
  if (!source.state) {
    return "connecting";
  }
  if (source.state.instance === "ended") {
    return "the run has ended";
  }
  return isShuttingDown(source) ? "the instance is shutting down" : null;
}

/// Returns whether the instance shuts down at the moment, which takes a while if an extension does not react. Until then, the server
/// executes no commands.
function isShuttingDown({ session, state }) {
  const instance = session?.instance() ?? null;
  return ["up", "booting"].includes(state?.instance) && instance !== null && instance.shutdownT !== null && instance.downT === null;
}

/// Returns what is wrong with a duration, or `null`. The grammar is that of the command line.
function durationError(text) {
  const match = /^\s*(\d*)(?:\.(\d*))?\s*(ms|s|m|h)\s*$/.exec(text);
  const hint = `\`${text}\` is not a duration; write it as \`500ms\`, \`10s\` or \`1m\``;
  if (!match || `${match[1]}${match[2] ?? ""}` === "") {
    return hint;
  }
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[3]];
  return Number(`${match[1] || 0}.${match[2] || 0}`) * unit > 3_600_000 ? `\`${text}\` is longer than one hour` : null;
}

/// One line with what the server responded, which the user can dismiss.
class ControlMessage {
  constructor() {
    this.element = el("div", { class: "control-message", role: "alert", hidden: true });
  }

  show(message) {
    this.element.hidden = message === "";
    this.element.replaceChildren(el("span", {}, message),
      el("button", { type: "button", class: "quiet icon small", "aria-label": "Dismiss", onclick: () => this.show("") }, "✕"));
  }

  /// Runs an action, and shows its error.
  async run(action) {
    this.show("");
    try {
      await action();
      return true;
    } catch (error) {
      this.show(error.message);
      return false;
    }
  }
}

function field(label, control, ...more) {
  return el("label", { class: "field" }, el("span", { class: "field-label" }, label), control, ...more);
}

function createControls(app) {
  const { source } = app;
  if (!source.live) {
    return el("p", { class: "empty" }, "A recording cannot be controlled.");
  }
  const parts = [instanceControls(app), invokeControls(app), faultControls(app)];
  const reason = el("p", { class: "controls-reason", role: "status" });
  const update = () => {
    const why = whyNotControl(source) ?? whyNotInvoke(source);
    setText(reason, why === null ? "" : capital(`${why}.`));
    parts.forEach((part) => part.update());
  };
  source.onState(update);
  app.session.onChange(update);
  update();
  return el("div", { class: "controls-panel" }, reason, parts.map(({ element }) => element));
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/// Freeze, thaw, rebuild, shut down.
function instanceControls({ source }) {
  const message = new ControlMessage();
  const post = (path) => () => message.run(() => source.post(path));
  const buttons = {
    freeze: el("button", { type: "button", onclick: post("freeze") }, "Freeze"),
    thaw: el("button", { type: "button", onclick: post("thaw") }, "Thaw"),
    rebuild: el("button", { type: "button", onclick: post("rebuild") }, "Rebuild"),
    shutdown: el("button", { type: "button", class: "danger", onclick: post("shutdown") }, "Shut down"),
  };
  const update = () => {
    const general = whyNotControl(source);
    const { instance, frozen, building } = source.state ?? {};
    const up = instance === "up" ? null : instance === "booting" ? "the instance is booting" : "no instance runs";
    disable(buttons.freeze, general ?? up ?? (frozen ? "the instance is frozen" : null));
    disable(buttons.thaw, general ?? up ?? (frozen ? null : "the instance is not frozen"));
    disable(buttons.rebuild, general ?? (building ? "a build is running" : null));
    disable(buttons.shutdown, general ?? (instance === "none" ? "no instance runs" : null));
    setText(buttons.rebuild, building ? "Building…" : "Rebuild");
  };
  return { element: controlGroup("Instance", el("div", { class: "instance-buttons" }, Object.values(buttons)), message.element), update };
}

function controlGroup(title, ...children) {
  return el("section", { class: "control-group" }, el("h3", {}, title), ...children);
}

/// Disables a control with a reason, which is its tooltip and part of its description.
function disable(control, reason) {
  control.disabled = reason !== null;
  control.title = reason ?? "";
}

function savedInvocation() {
  const saved = readStored("localStorage", CONTROLS_KEY) ?? {};
  return {
    payload: typeof saved.payload === "string" ? saved.payload : "{}", base64: saved.base64 === true,
    outcome: ["ok", "error", "timeout"].includes(saved.outcome) ? saved.outcome : "ok", duration: text(saved.duration), logs: text(saved.logs),
    count: text(saved.count) || "1", concurrency: text(saved.concurrency) || "1",
  };
}

/// The editor of an invocation, and the progress of a batch.
function invokeControls({ source }) {
  const saved = savedInvocation();
  const message = new ControlMessage();
  const hint = el("p", { class: "field-hint", id: "payload-hint" });
  const payload = el("textarea", { class: "payload", rows: "4", spellcheck: "false", autocomplete: "off", value: saved.payload, "aria-describedby": "payload-hint", oninput: () => changed() });
  const encoding = el("select", { "aria-label": "Encoding of the payload", onchange: () => changed() }, el("option", { value: "text" }, "Text"), el("option", { value: "base64" }, "Base64"));
  encoding.value = saved.base64 ? "base64" : "text";
  const format = el("button", { type: "button", class: "small", onclick: () => {
    payload.value = formatJson(payload.value) ?? payload.value;
    changed();
  } }, "Format");
  const outcome = el("select", { onchange: () => changed() }, ["ok", "error", "timeout"].map((name) => el("option", { value: name }, name)));
  outcome.value = saved.outcome;
  const duration = el("input", { type: "text", placeholder: "0s", value: saved.duration, oninput: () => changed(), "aria-describedby": "duration-error" });
  const durationProblem = el("p", { class: "field-hint bad", id: "duration-error" });
  const logs = el("textarea", { rows: "2", spellcheck: "false", placeholder: "one line each", value: saved.logs, oninput: () => changed() });
  const count = el("input", { type: "number", min: "1", max: String(MAX_COUNT), value: saved.count, oninput: () => changed() });
  const concurrency = el("input", { type: "number", min: "1", max: String(MAX_CONCURRENCY), value: saved.concurrency, oninput: () => changed() });
  const invoke = el("button", { type: "submit", class: "primary" }, "Invoke");
  const stop = el("button", { type: "button", onclick: () => message.run(() => source.post("invoke/stop")) }, "Stop");
  const bar = el("progress", { max: "1", value: 0, "aria-label": "Progress of the invocations" });
  const progressText = el("span", { class: "muted" });
  const progress = el("div", { class: "progress-row", role: "group", "aria-label": "Batch" }, bar, progressText, stop);
  const synthetic = el("div", { class: "synthetic" }, el("div", { class: "field-pair" }, field("Outcome", outcome), field("Duration", duration)), durationProblem, field("Lines to log", logs));
  const realFunction = el("p", { class: "field-hint" }, "A real function runs: it decides on its outcome and duration itself.");

  function changed() {
    message.show("");
    const binary = encoding.value === "base64";
    const problem = binary ? attempt(() => atob(payload.value)) === null && "not base64" : payload.value.trim() === "" ? "empty" : jsonProblem(payload.value);
    hint.textContent = problem ? (binary ? "This is not base64." : problem === "empty" ? "The payload is empty." : `Not JSON: ${problem}. It is sent as it is.`) : "";
    hint.classList.toggle("warn", Boolean(problem));
    format.hidden = binary;
    // Whether it is JSON has been found out already.
    format.disabled = Boolean(problem) || !/^\s*[[{]/.test(payload.value);
    const wrong = duration.value.trim() === "" ? null : durationError(duration.value.trim());
    durationProblem.textContent = wrong ?? "";
    durationProblem.hidden = wrong === null;
    duration.toggleAttribute("aria-invalid", wrong !== null);
    if (payload.value.length <= REMEMBERED_PAYLOAD) {
      store("localStorage", CONTROLS_KEY, {
        payload: payload.value, base64: binary, outcome: outcome.value, duration: duration.value, logs: logs.value, count: count.value, concurrency: concurrency.value,
      });
    }
  }

  function request() {
    for (const [input, name] of [[count, "count"], [concurrency, "concurrency"]]) {
      // The value of a field with something else than a number is empty.
      if (input.validity.badInput) {
        throw new Error(`the ${name} is not a number`);
      }
    }
    const body = {
      payload: encoding.value === "base64" ? { base64: canonicalBase64(payload.value) } : payload.value,
      count: count.value === "" ? 1 : Number(count.value), concurrency: concurrency.value === "" ? 1 : Number(concurrency.value),
    };
    if (source.state.synthetic) {
      body.outcome = outcome.value;
      if (duration.value.trim() !== "") {
        body.duration = duration.value.trim();
      }
      body.logs = logs.value.split("\n").filter((line) => line !== "");
    }
    return body;
  }

  const submit = (event) => {
    event.preventDefault();
    if (!invoke.disabled) {
      message.run(() => source.post("invoke", request()));
    }
  };
  const form = el("form", { novalidate: true, onsubmit: submit, onkeydown: (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      submit(event);
    }
  } },
    el("div", { class: "field" },
      el("div", { class: "field-head" }, el("label", { class: "field-label", for: "payload" }, "Payload"), encoding, format), payload, hint),
    synthetic, realFunction,
    el("div", { class: "field-pair" }, field("Count", count), field("Concurrency", concurrency)),
    el("div", { class: "invoke-bar" },
      message.element, progress,
      el("div", { class: "invoke-row" }, invoke, el("span", { class: "muted invoke-key" }, el("kbd", {}, "Ctrl"), " ", el("kbd", {}, "Enter")))));
  payload.id = "payload";
  changed();

  const update = () => {
    disable(invoke, whyNotInvoke(source));
    const isSynthetic = source.state?.synthetic !== false;
    synthetic.hidden = !isSynthetic;
    realFunction.hidden = isSynthetic;
    const batch = source.state?.batch ?? null;
    progress.hidden = batch === null;
    if (batch) {
      bar.max = Math.max(1, batch.count);
      bar.value = batch.finished;
      progressText.textContent = `${numberFormat.format(batch.finished)} of ${numberFormat.format(batch.count)} finished`;
      disable(stop, whyNotControl(source) ?? (batch.sent >= batch.count ? "all invocations have been sent" : null));
    }
  };
  return { element: controlGroup("Invoke the function", form), update };
}

/// Returns base64 as the server expects it, without white space and with padding.
function canonicalBase64(text) {
  const bytes = attempt(() => atob(text));
  if (bytes === null) {
    throw new Error("the payload is not base64");
  }
  return btoa(bytes);
}

/// Returns what the parser says about a text that is not JSON, or `null` if it is.
function jsonProblem(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return error.message.replace(/^JSON\.parse: /, "").replace(/ in JSON at position \d+/, "").replace(/, (\.\.\.)?".*" is not valid JSON$/s, "");
  }
}

/// The faults that are injected.
function faultControls(app) {
  const { session, source } = app;
  const message = new ControlMessage();
  const active = el("div", { class: "fault-list" });
  const name = el("select", { onchange: () => describe() });
  const description = el("p", { class: "field-hint", id: "fault-description" });
  name.setAttribute("aria-describedby", "fault-description");
  const rate = el("select", { onchange: () => describe() },
    el("option", { value: "once" }, "once"), el("option", { value: "times" }, "N times"), el("option", { value: "always" }, "always"), el("option", { value: "probability" }, "with a probability"));
  const times = el("input", { type: "number", min: "1", value: "2", "aria-label": "How many times" });
  const probability = el("input", { type: "number", min: "0", max: "1", step: "0.05", value: "0.3", "aria-label": "Probability from 0 to 1" });
  const add = el("button", { type: "submit" }, "Inject");
  const clear = el("button", { type: "button", onclick: () => send([]) }, "Clear all");
  const items = () => (source.state?.faults ?? "").split(",").map((item) => item.trim()).filter(Boolean);
  const nameOf = (item) => item.split(/[*=]/)[0].trim();
  /// The session, and its last entry, before the faults were sent: faults that were injected since then count.
  let sentAt = { session: null, id: 0 };
  const send = async (list) => {
    const at = { session: session.id, id: session.lastId };
    if (await message.run(() => source.post("faults", { faults: list.join(",") }))) {
      sentAt = at;
    }
  };
  /// Returns a fault as it has to be sent again so that it is injected as often as it was asked for, or `null` if it was.
  const remaining = (item) => {
    const times = /\*\s*(\d+)$/.exec(item)?.[1];
    if (times === undefined) {
      return item;
    }
    const after = sentAt.session === session.id ? sentAt.id : 0;
    const injected = session.marks.filter((mark) => mark.id > after && mark.kind === "fault" && faultName(mark) === nameOf(item)).length;
    return injected < Number(times) ? `${nameOf(item)}*${Number(times) - injected}` : null;
  };
  const itemsWithout = (removed) => items().filter((item) => nameOf(item) !== removed).map(remaining).filter(Boolean);
  const form = el("form", { novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    const suffix = { once: "*1", times: `*${times.value}`, always: "=1", probability: `=${probability.value}` }[rate.value];
    send([...itemsWithout(name.value), `${name.value}${suffix}`]);
  } },
    field("Fault", name), description,
    el("div", { class: "field-pair" }, field("How often", rate), el("div", { class: "field rate-value" }, times, probability)),
    el("div", { class: "button-row" }, add, clear));

  function describe() {
    const [, what] = list(session.info?.faults).find(([fault]) => fault === name.value) ?? [];
    const later = name.value.startsWith("register-") ? " Applies at the next boot." : "";
    description.textContent = what ? `${capital(text(what))}.${later}` : "";
    times.hidden = rate.value !== "times";
    probability.hidden = rate.value !== "probability";
  }

  let known = "";
  let shown = "";
  const update = () => {
    const faults = list(session.info?.faults);
    const key = JSON.stringify(faults);
    if (key !== known) {
      known = key;
      const before = name.value;
      name.replaceChildren(...faults.map(([fault]) => el("option", { value: text(fault) }, text(fault))));
      if (before !== "") {
        name.value = before;
      }
      describe();
    }
    const why = whyNotControl(source);
    disable(add, why ?? (faults.length === 0 ? "no faults are known" : null));
    const now = items();
    disable(clear, why ?? (now.length === 0 ? "no faults are injected" : null));
    const seed = source.state?.seed ?? null;
    const left = now.map(remaining);
    const activeKey = JSON.stringify([now, left, seed, why]);
    if (activeKey !== shown) {
      shown = activeKey;
      const hadFocus = active.contains(document.activeElement);
      active.replaceChildren(...now.length === 0 ? [el("p", { class: "field-hint" }, "No faults are injected.")] : [
        el("ul", { class: "plain-list" }, now.map((item, index) => el("li", { class: "fault-item" }, el("span", { class: "fault-mark", "aria-hidden": "true" }, "⚡"), el("code", {}, item),
          left[index] === null ? el("span", { class: "muted" }, "injected") : null,
          el("button", { type: "button", class: "quiet icon small", "aria-label": `Remove ${nameOf(item)}`, disabled: why !== null, onclick: () => send(itemsWithout(nameOf(item))) }, "✕")))),
        seed === null ? null : el("p", { class: "field-hint" }, "Seed ", el("code", {}, String(seed)), ", for ", el("code", {}, "--seed")),
      ].filter(Boolean));
      if (hadFocus) {
        (active.querySelector("button:enabled") ?? name).focus();
      }
    }
  };
  describe();
  return { element: controlGroup("Faults", active, form, message.element), update };
}
