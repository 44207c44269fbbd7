// Compares two runs.

const SHOWN_PAIRS = 50;
const PLOT = { height: 220, left: 44, right: 30, top: 10, bottom: 30 };

function createCompare(app) {
  const { session, source } = app;
  // The choice outlives the panels, which are created again when another run is shown.
  const choice = app.compared ??= { a: null, b: null, subject: "all" };
  const result = new Slot();
  const runs = new Slot();
  const message = el("p", { class: "inline-error", role: "alert" });
  const picker = el("input", { type: "file", hidden: true, multiple: true, onchange: () => add(picker.files) });

  async function add(files) {
    message.textContent = "";
    for (const file of files) {
      try {
        const run = await app.addRun(file);
        const other = [choice.a, choice.b, app.runs[0]].find((it) => it && it !== run);
        [choice.a, choice.b] = inOrder([other, run]);
      } catch (error) {
        message.textContent = error.message;
      }
    }
    picker.value = "";
    update();
  }

  const selectRun = (side, label) => {
    const select = el("select", { "aria-label": label, onchange: () => {
      choice[side] = app.runs[Number(select.value)];
      update();
      // It was created again.
      panel.querySelector(`select[aria-label="${label}"]`)?.focus();
    } }, app.runs.map((run, index) => el("option", { value: String(index) }, runName(run))));
    select.value = String(app.runs.indexOf(choice[side]));
    return el("label", { class: "field" }, el("span", { class: "field-label" }, el("span", { class: `run-key ${side}`, "aria-hidden": "true" }), label), select);
  };

  function update() {
    if (panel.offsetParent === null) {
      return;
    }
    if (app.runs.length > 1) {
      if (!app.runs.includes(choice.a) || !app.runs.includes(choice.b)) {
        [choice.a, choice.b] = inOrder(app.runs.slice(0, 2));
      }
    }
    const open = el("button", { type: "button", onclick: () => picker.click() }, app.runs.length > 1 ? "Open another recording" : "Open a recording to compare with");
    runs.set(app.runs.map((run) => `${run.name} ${run === choice.a} ${run === choice.b}`).join("\n"), () => (app.runs.length < 2
      ? el("div", { class: "empty" },
        el("p", {}, "Compare this run with a recording (", el("code", {}, "--record FILE"), ") or with an exported page. The file is read in the browser, and not uploaded."), open)
      : el("div", { class: "run-choice" }, selectRun("a", "A"), selectRun("b", "B"),
        el("button", { type: "button", onclick: swap }, "Swap"), open)));
    if (app.runs.length > 1) {
      const key = [choice.a, choice.b].map((run) => `${app.runs.indexOf(run)} ${run.session.lastId} ${run.session.generation}`).join(" ");
      const hadFocus = document.activeElement?.closest(".plot-subject") && panel.contains(document.activeElement);
      result.set(key, () => comparison(app, choice));
      if (hadFocus) {
        panel.querySelector(".plot-subject")?.focus();
      }
    }
  }

  function swap() {
    [choice.a, choice.b] = [choice.b, choice.a];
    update();
  }

  // A live run changes all the time, and the figures of many invocations take a while.
  let timer = null;
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = null;
      update();
    }, 1000);
  };
  session.onChange(soon);
  source.onState(soon);
  app.onRuns(update);
  const panel = el("div", { class: "compare-panel" }, picker, runs.element, message, result.element);
  new ResizeObserver(update).observe(panel);
  return panel;
}

/// Sorts runs by their start: A is what B is compared with.
function inOrder(runs) {
  const start = ({ session }) => number(session.info?.epoch_ms);
  return runs.sort((a, b) => start(a) - start(b));
}

/// Returns the name of a run, with its start if it is known.
function runName({ name, session }) {
  const { info } = session;
  return info ? `${name} (${info.command}, ${new Date(info.epoch_ms).toLocaleString()})` : name;
}

function comparison(app, choice) {
  const { a, b } = choice;
  if (a === b) {
    return el("p", { class: "muted" }, "A and B are the same run.");
  }
  const [statsA, statsB] = [runStats(a.session), runStats(b.session)];
  const dropped = [["A", a], ["B", b]].filter(([, run]) => run.session.dropped > 0);
  return [
    section("Result", verdictList(verdictOf(statsA, statsB)),
      dropped.map(([name, { session }]) => el("p", { class: "muted" }, session.dropped === 1
        ? `The oldest entry of ${name} was dropped, and is not counted.`
        : `The ${numberFormat.format(session.dropped)} oldest entries of ${name} were dropped, and are not counted.`))),
    section("Distribution", distribution(statsA, statsB, choice)),
    section("Figures", figureTable(statsA, statsB)),
    section("Invocations with the largest differences", pairTable(app, a, b)),
  ];
}

function verdictList(findings) {
  const icons = { bad: "✕", slow: "▲", good: "▼", plain: "·" };
  return el("ul", { class: "findings" }, findings.map(({ tone, text }) => el("li", { class: tone },
    el("span", { class: "finding-icon", "aria-hidden": "true" }, icons[tone]), el("span", {}, visibleText(text)))));
}

/// The figures of both runs, and their differences.
function figureTable(a, b) {
  const time = (value) => (value === null ? "–" : formatMs(value));
  const count = (value) => numberFormat.format(value);
  const groups = [["Invocations", [["count", a.finished.length, b.finished.length, count], ["failed", a.failed, b.failed, count], ...durations(a.total, b.total)]]];
  for (const row of new Set([...a.rows.keys(), ...b.rows.keys()])) {
    groups.push([row, durations(a.rows.get(row) ?? [], b.rows.get(row) ?? [])]);
  }
  const starts = [...new Set([...a.coldStarts.keys(), ...b.coldStarts.keys()])].map((row) =>
    [row, quantile(a.coldStarts.get(row) ?? [], 0.5), quantile(b.coldStarts.get(row) ?? [], 0.5), time]);
  groups.push(["Cold starts", [["count", a.booted.length, b.booted.length, count], ["median", quantile(a.booted, 0.5), quantile(b.booted, 0.5), time], ...starts]]);
  groups.push(["Telemetry", [["events delivered", a.delivered, b.delivered, count], ["events lost", a.lost, b.lost, count], ["failed attempts", a.attempts, b.attempts, count]]]);
  function durations(before, after) {
    const notable = notableDifference(before, after);
    return [["median", quantile(before, 0.5), quantile(after, 0.5), time, notable], ["p95", quantile(before, 0.95), quantile(after, 0.95), time],
      ["max", quantile(before, 1), quantile(after, 1), time]];
  }
  const line = ([name, before, after, format, notable = 0]) => el("tr", {}, el("th", { scope: "row" }, name),
    el("td", {}, format(before)), el("td", {}, format(after)),
    el("td", { class: notable > 0 ? "worse" : notable < 0 ? "better" : "" }, differenceText(before, after, format)));
  return el("div", { class: "table-scroll" }, el("table", { class: "figures" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Figure"), el("th", { scope: "col" }, "A"), el("th", { scope: "col" }, "B"), el("th", { scope: "col" }, "Difference"))),
    groups.map(([name, lines]) => el("tbody", {}, el("tr", { class: "group" }, el("th", { colspan: "4", scope: "rowgroup" }, name)), lines.map(line)))));
}

function differenceText(before, after, format) {
  if (before === null || after === null) {
    return "–";
  }
  const difference = after - before;
  if (difference === 0) {
    return "same";
  }
  const share = before > 0 ? ` (${formatShare(before, after)})` : "";
  return `${difference > 0 ? "+" : "−"}${format(Math.abs(difference))}${share}`;
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
  element.append(...children.flat());
  return element;
}

/// Draws which share of the invocations finished within a time, of both runs on one logarithmic scale. `choice.subject` is what the
/// user has chosen.
function distribution(a, b, choice) {
  const subjects = new Map([["all", ["Invocations", a.total, b.total]]]);
  for (const row of new Set([...a.rows.keys(), ...b.rows.keys()])) {
    subjects.set(row, [row, a.rows.get(row) ?? [], b.rows.get(row) ?? []]);
  }
  const place = el("div", { class: "plot" });
  const select = el("select", { class: "plot-subject", "aria-label": "What the distribution is of", onchange: () => {
    choice.subject = select.value;
    draw();
  } }, [...subjects].map(([value, [name]]) => el("option", { value }, name)));
  if (subjects.has(choice.subject)) {
    select.value = choice.subject;
  }
  const draw = () => {
    const [name, before, after] = subjects.get(select.value);
    const width = Math.max(280, Math.min(900, place.clientWidth));
    place.replaceChildren(before.length + after.length === 0 ? el("p", { class: "muted" }, "No invocation has finished.") : plot(name, before, after, width));
  };
  new ResizeObserver(draw).observe(place);
  return [
    el("div", { class: "tool-row" }, select,
      el("span", { class: "plot-key" }, el("span", { class: "run-key a", "aria-hidden": "true" }), "A"), el("span", { class: "plot-key" }, el("span", { class: "run-key b", "aria-hidden": "true" }), "B"),
      el("span", { class: "muted" }, "share of invocations that finished within the time")),
    place,
  ];
}

function plot(name, a, b, width) {
  const { height, left, right, top, bottom } = PLOT;
  const smallest = Math.max(0.001, Math.min(a[0] ?? Infinity, b[0] ?? Infinity));
  const largest = Math.max(a[a.length - 1] ?? 0, b[b.length - 1] ?? 0, smallest * 1.01);
  const [low, high] = [Math.log10(smallest) - 0.02, Math.log10(largest) + 0.02];
  const x = (value) => left + ((Math.log10(Math.max(value, smallest)) - low) / (high - low)) * (width - left - right);
  const y = (share) => top + (1 - share) * (height - top - bottom);
  const curve = (values) => {
    // More points than pixels would not be visible.
    const steps = Math.min(values.length, 400);
    let path = `M ${left} ${y(0)}`;
    for (let step = 1; step <= steps; step += 1) {
      const rank = Math.ceil((step / steps) * values.length);
      path += ` H ${x(values[rank - 1]).toFixed(1)} V ${y(rank / values.length).toFixed(1)}`;
    }
    return values.length === 0 ? "" : `${path} H ${width - right}`;
  };
  const ticks = timeTicks(10 ** low, 10 ** high, width / 90);
  const description = `${name}: the median is ${formatMs(quantile(a, 0.5))} in A and ${formatMs(quantile(b, 0.5))} in B`;
  return svg("svg", { width, height, role: "img", "aria-label": description },
    [0, 0.25, 0.5, 0.75, 0.95, 1].map((share) => [
      svg("line", { class: "grid", x1: left, x2: width - right, y1: y(share), y2: y(share) }),
      share === 1 ? [] : svg("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, `${share * 100} %`),
    ]).flat(),
    ticks.map((tick) => [
      svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: top, y2: height - bottom }),
      svg("text", { x: x(tick), y: height - bottom + 18, "text-anchor": "middle" }, formatTick(tick)),
    ]).flat(),
    svg("path", { class: "curve a", d: curve(a) }), svg("path", { class: "curve b", d: curve(b) }));
}

/// Returns round times on a logarithmic scale, `count` of them at most.
function timeTicks(from, to, count) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power += 1) {
    for (const digit of [1, 2, 5]) {
      const tick = digit * 10 ** power;
      if (tick >= from && tick <= to) {
        ticks.push(tick);
      }
    }
  }
  if (ticks.length < 2) {
    // The times differ by little, and even steps are as good.
    const step = tickStep((to - from) / Math.max(2, count - 1));
    const first = Math.ceil(from / step);
    return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, index) => (first + index) * step);
  }
  const step = Math.ceil(ticks.length / count);
  return ticks.filter((_, index) => index % step === 0);
}

function formatTick(ms) {
  const round = (value) => String(Number(value.toPrecision(4)));
  return ms < 0.1 ? `${round(ms * 1000)} µs` : ms < 1000 ? `${round(ms)} ms` : `${round(ms / 1000)} s`;
}

/// Invocations of both runs, side by side.
function pairTable(app, a, b) {
  const { byTrace, pairs } = pairInvocations(a.session, b.session);
  if (pairs.length === 0) {
    return el("p", { class: "muted" }, "No invocation has finished in both runs.");
  }
  const open = (run, invocation) => el("button", { type: "button", class: "link", title: `Show it in ${runName(run)}`, onclick: () => {
    if (app.session !== run.session) {
      app.show(run);
    }
    app.view.select({ kind: "invocation", n: invocation.n });
    app.view.showTab("detail");
  } }, formatMs(invocation.d));
  return [
    el("p", { class: "muted" }, byTrace ? `${formatCount(pairs.length, "pair")} with the same trace ID.` : `${formatCount(pairs.length, "pair")} with the same number; the runs share no trace ID. Record a run and replay it to compare the same invocations.`),
    el("div", { class: "table-scroll" }, el("table", { class: "figures pairs" },
      el("thead", {}, el("tr", {}, ["Invocation", "A", "B", "Difference"].map((title) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, pairs.slice(0, SHOWN_PAIRS).map(([one, other]) => el("tr", {},
        el("th", { scope: "row" }, one.n === other.n ? `#${one.n}` : `#${one.n}, #${other.n}`),
        el("td", {}, open(a, one)), el("td", {}, open(b, other)), el("td", {}, differenceText(one.d, other.d, formatMs))))))),
    pairs.length > SHOWN_PAIRS ? el("p", { class: "muted" }, `The first ${SHOWN_PAIRS} of ${formatCount(pairs.length, "pair")}.`) : null,
  ];
}
