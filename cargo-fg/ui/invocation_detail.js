// The details of an invocation: what was slow, when what ran, the request, the responses, log lines and telemetry.

/// How many log lines, and how many deliveries, are listed here.
const SHOWN_LINES = 200;
const SHOWN_DELIVERIES = 5;

function invocationDetail(app, cache, invocation) {
  const { session } = app;
  const names = ["head", "findings", "waterfall", "request", "responses", "logs", "faults", "telemetry"];
  const slots = Object.fromEntries(names.map((name) => [name, new Slot()]));
  const lines = linesOf(session, invocation);
  const refresh = () => {
    const { sentId, doneId } = invocation;
    const deliveries = deliveriesOf(session, invocation);
    const findings = whatWasSlow(session, invocation);
    slots.head.set(`${doneId} ${whyNotInvoke(app.source)}`, () => invocationHead(app, cache, invocation));
    slots.findings.set(JSON.stringify(findings), () => section(invocation.ok === false ? "Why it failed, and what was slow" : "What was slow", findingList(findings)));
    slots.waterfall.set(`${doneId} ${deliveries.length} ${session.freezes.length}`, () => section("Timeline", waterfall(session, invocation, deliveries)));
    slots.request.set(`${sentId}`, () => section("Request", requestView(cache, invocation)));
    slots.responses.set(`${doneId}`, () => responseSections(cache, invocation));
    const found = lines();
    slots.logs.set(`${found.length} ${doneId}`, () => section("Log lines", lineList(app, invocation, found)));
    // A fault can delay the start.
    const faults = marksBetween(session, "fault", Math.min(invocation.sentT, invocation.t) - 1, endOf(session, invocation));
    slots.faults.set(`${faults.length}`, () => faultSection(session, invocation, faults));
    const losses = lossesOf(session, invocation);
    slots.telemetry.set(`${deliveries.map(({ id }) => id).slice(0, 50)} ${deliveries.length} ${losses.length}`, () => section("Telemetry",
      losses.map((loss) => lostEvents(cache, invocation, loss)), telemetryView(session, cache, invocation, deliveries)));
  };
  return { elements: names.map((name) => slots[name].element), refresh };
}

function invocationHead(app, cache, invocation) {
  const { session, source } = app;
  const { n, t, d, traceId } = invocation;
  const { kind, icon, text: outcome } = outcomeOf(invocation);
  return [
    el("header", { class: "detail-head" },
      el("h2", {}, `Invocation #${n}`),
      el("span", { class: `badge ${kind}` }, el("span", { "aria-hidden": "true" }, `${icon} `), outcome),
      d === null ? null : el("span", { class: "detail-duration" }, formatMs(d)),
      el("span", { class: "detail-buttons" },
        el("button", { type: "button", class: "small", onclick: () => app.timeline.zoomTo("invocation", invocation) }, "Zoom to it"),
        source.live ? invokeAgain(source, cache, invocation) : null)),
    el("div", { class: "detail-id" },
      el("code", {}, visibleText(traceId)), copyButton(() => traceId, "Copy", "Copy the trace ID"),
      el("span", { class: "muted" }, `started ${formatClock(session, t)}`)),
  ];
}

/// A button that sends the same payload with the same options again.
function invokeAgain(source, cache, invocation) {
  const reason = whyNotInvoke(source);
  const message = el("span", { class: "inline-error", role: "alert" });
  const send = async () => {
    message.textContent = "";
    try {
      const detail = await cache.load(invocation.sentId);
      if (detail === null) {
        throw new Error("its payload is no longer stored");
      }
      const request = { payload: detail.payload };
      if (invocation.outcome !== null) {
        request.outcome = invocation.outcome;
        request.duration = `${Number((invocation.durationMs ?? 0).toFixed(6))}ms`;
        request.logs = list(detail.logs);
      }
      await source.post("invoke", request);
    } catch (error) {
      message.textContent = error.message;
    }
  };
  return [el("button", { type: "button", class: "small", disabled: reason !== null || invocation.sentId === null, title: reason, onclick: send }, "Invoke again"), message];
}

const FINDING_ICONS = { bad: ["✕", "failure: "], slow: ["◆", "slow: "], plain: ["·", ""] };

function findingList(findings) {
  return el("ul", { class: "findings" }, findings.map(({ tone, text }) => el("li", { class: tone },
    el("span", { class: "finding-icon", "aria-hidden": "true" }, FINDING_ICONS[tone][0]),
    el("span", {}, el("span", { class: "visually-hidden" }, FINDING_ICONS[tone][1]), visibleText(text)))));
}

/// Draws what ran in an invocation, and when its telemetry arrived, on one scale.
function waterfall(session, invocation, deliveries) {
  const { t, d } = invocation;
  if (d === null || invocation.function.outcome === "canceled") {
    return el("p", { class: "muted" }, d === null ? "It is drawn when it has finished." : "It was canceled before it had finished.");
  }
  const arrivals = deliveries.map((delivery) => delivery.t + delivery.d - t).filter((arrived) => arrived <= 3 * d + 5);
  const end = arrivals.reduce((latest, arrived) => Math.max(latest, arrived), Math.max(d, 0.01));
  const bars = partsOf(invocation).map(({ row, start, d: length, ok, status }) => ({
    row, start, length, bad: !ok, label: row === "function" ? invocation.function.outcome : status === null ? "no response" : `${status}`,
  }));
  for (const delivery of deliveries.slice(0, SHOWN_DELIVERIES)) {
    bars.push({ row: "telemetry", start: delivery.t - t, length: delivery.d, bad: false, label: formatCount(delivery.events, "event") });
  }
  const frozen = session.freezes.filter((freeze) => overlap(t, t + end, freeze.t, freeze.end ?? Infinity) > 0);
  const percent = (time) => `${Math.min(100, Math.max(0, (time / end) * 100))}%`;
  const band = (freeze) => {
    const shape = el("span", { class: "wf-frozen", title: "frozen" });
    shape.style.left = percent(freeze.t - t);
    shape.style.width = percent(Math.min(end, (freeze.end ?? Infinity) - t) - Math.max(0, freeze.t - t));
    return shape;
  };
  const rows = bars.map(({ row, start, length, bad, label }) => {
    const beyond = start > end;
    const bar = el("span", { class: `wf-bar${bad ? " bad" : ""}` });
    bar.style.left = percent(start);
    bar.style.width = percent(Math.min(length, end - start));
    return el("li", { class: `wf-row ${rowClass(session, row)}` },
      el("span", { class: "wf-name", title: row }, shortName(row)),
      el("span", { class: "wf-track" }, frozen.map(band), beyond ? el("span", { class: "wf-beyond" }, `${formatMs(start)} after the start →`) : bar),
      el("span", { class: "wf-value" }, formatMs(length), " ", el("span", { class: bad ? "bad" : "muted" }, visibleText(label))));
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => el("span", {}, share === 0 ? "0" : formatMs(end * share)));
  return el("div", { class: "waterfall" }, el("ol", { class: "plain-list" }, rows), el("div", { class: "wf-axis", "aria-hidden": "true" }, ticks),
    frozen.length > 0 ? el("p", { class: "muted wf-legend" }, el("span", { class: "wf-frozen-key" }), "frozen") : null);
}

function requestView(cache, invocation) {
  if (invocation.sentId === null) {
    return el("p", { class: "muted" }, notStored(cache.source));
  }
  const { n, outcome, durationMs, sentId } = invocation;
  return [
    outcome === null ? null : el("p", { class: "muted" }, `The synthetic function was asked for the outcome ${outcome}${durationMs > 0 ? `, after ${formatMs(durationMs)}` : ""}.`),
    withDetail(cache, sentId, (detail) => [
      el("h4", {}, "Payload"), ...bodyOrBinary(detail.payload, `payload-${n}.json`),
      ...(list(detail.logs).length === 0 ? [] : [el("h4", {}, "Lines to log"), bodyView(texts(detail.logs).join("\n"), `lines-${n}.txt`)]),
    ]),
  ].filter(Boolean);
}

/// The event that was posted, and what the function and the extensions responded.
function responseSections(cache, invocation) {
  const { n, doneId, function: span, extensions, d } = invocation;
  if (d === null) {
    return section("Responses", el("p", { class: "muted" }, "It is in flight."));
  }
  if (span.outcome === "canceled") {
    return section("Responses", el("p", { class: "muted" }, "It was canceled before it had finished."));
  }
  const status = span.status === null ? "" : `, status ${span.status}`;
  const title = ({ row, status: code, d: took }) => el("h4", {}, visibleText(row), " ",
    el("span", { class: `badge ${code === 200 ? "ok" : "bad"}` }, code === null ? "no response" : `status ${code}`), " ", el("span", { class: "muted" }, `in ${formatMs(took)}`));
  return [
    section(`Response of the function: ${span.outcome}${status}`, withDetail(cache, doneId, (detail) => bodyOrBinary(detail.response, `response-${n}.json`))),
    section("Responses of the extensions", withDetail(cache, doneId, (detail) => extensions.length === 0
      ? el("p", { class: "muted" }, "No extension received the event.")
      : extensions.map((extension, index) => el("div", { class: "response" }, title(extension),
        extension.error === "" ? null : el("p", { class: "inline-error" }, visibleText(extension.error)),
        bodyOf(detail, extension, index, n))))),
    section("Event that was posted to the extensions", withDetail(cache, doneId, (detail) => bodyOrBinary(detail.event, `event-${n}.json`))),
  ];
}

function bodyOf(detail, extension, index, n) {
  const body = list(detail.extensions)[index]?.body ?? "";
  return body === extension.error || (body === "" && extension.error !== "") ? null : bodyOrBinary(body, `response-${n}-${extension.row}.txt`);
}

/// Returns a function that returns the lines that contain the trace ID of an invocation, and those that were printed while it was
/// in flight. Each call looks only at lines that are new.
function linesOf(session, invocation) {
  let found = [];
  let seen = 0;
  let end = null;
  return () => {
    if (end !== invocation.d) {
      // When it has finished, the lines after its end no longer count.
      end = invocation.d;
      found = [];
      seen = 0;
    }
    const until = invocation.d === null ? Infinity : invocation.t + invocation.d;
    for (; seen < session.logs.length; seen += 1) {
      const log = session.logs[seen];
      const named = log.text.includes(invocation.traceId);
      if (named || (log.t >= invocation.t && log.t <= until)) {
        found.push({ log, named });
      }
    }
    return found;
  };
}

function lineList(app, invocation, lines) {
  const { session, view } = app;
  if (lines.length === 0) {
    return el("p", { class: "muted" }, "No line was printed while it was in flight, and none contains its trace ID.");
  }
  const named = lines.filter((line) => line.named).length;
  const during = lines.length - named;
  const inLog = el("button", { type: "button", class: "small", onclick: () => {
    app.logOfSelection?.();
    view.showTab("logs");
  } }, "Show in the log");
  return [
    el("p", { class: "muted lines-summary" }, `${formatCount(named, "line")} with its trace ID`, named > 0 ? [" (", el("span", { class: "id-mark" }, "ID"), ")"] : null,
      `, ${formatCount(during, "other")} printed while it was in flight `, inLog),
    el("ol", { class: "mini-log plain-list" }, lines.slice(0, SHOWN_LINES).map(({ log, named: isNamed }) => el("li", { class: `${log.stream} ${rowClass(session, log.row)}` },
      el("span", { class: "log-time" }, `+${formatMs(log.t - invocation.t)}`.replace("+−", "−")),
      el("span", { class: "log-row", title: `${log.row}, ${log.stream}` }, el("span", { class: "swatch" }), shortName(log.row)),
      isNamed ? el("span", { class: "id-mark", title: "contains the trace ID" }, "ID") : el("span", { class: "id-none" }),
      el("span", { class: "log-text" }, logText(log.text.slice(0, 2000)))))),
    lines.length > SHOWN_LINES ? el("p", { class: "muted" }, `The first ${SHOWN_LINES} of ${formatCount(lines.length, "line")}.`) : null,
  ].filter(Boolean);
}

function faultSection(session, invocation, faults) {
  if (faults.length === 0) {
    return null;
  }
  const shared = othersBetween(session, invocation, invocation.t, endOf(session, invocation)).length > 0;
  return section("Faults injected during it",
    shared ? el("p", { class: "muted" }, "Other invocations were in flight too, and a fault may belong to one of them.") : null,
    el("ul", { class: "plain-list" }, faults.map((fault) => el("li", {}, el("span", { class: "fault-mark", "aria-hidden": "true" }, "⚡"),
      ` ${fault.t < invocation.t ? "" : "+"}${formatMs(fault.t - invocation.t)} ${visibleText(fault.text.replace(/^fault /, ""))}`))));
}

function telemetryView(session, cache, invocation, deliveries) {
  if (deliveries.length === 0) {
    const subscribed = session.marks.some(({ kind }) => kind === "subscribed");
    return el("p", { class: "muted" }, subscribed ? "No delivery has contained an event about it." : "No extension has subscribed to telemetry.");
  }
  const place = el("div", {});
  const more = el("button", { type: "button", class: "small", onclick: () => show(deliveries.length) }, `Show all ${formatCount(deliveries.length, "delivery", "deliveries")}`);
  const show = (count) => {
    for (const delivery of deliveries.slice(place.childElementCount, count)) {
      place.append(deliveryEvents(cache, invocation, delivery, place.childElementCount === 0, attemptsOf(session, delivery)));
    }
    more.hidden = deliveries.length <= count;
  };
  show(SHOWN_DELIVERIES);
  return [place, more];
}

function lostEvents(cache, invocation, loss) {
  return el("details", { class: "delivery", ontoggle: (event) => fillOnce(event.currentTarget, () => withDetail(cache, loss.id, (detail) => eventList(detail.body, invocation))) },
    el("summary", {}, el("span", { class: "badge bad" }, "lost"), ` ${formatMs(loss.t - invocation.t)} after the start: ${formatCount(loss.events, "event")}, ${visibleText(loss.reason)}`));
}

function deliveryEvents(cache, invocation, delivery, open, failed) {
  const after = delivery.t - invocation.t;
  const retried = failed.length === 0 ? "" : `, after ${formatCount(failed.length, "failed attempt")}`;
  return el("details", { class: "delivery", open, ontoggle: (event) => fillOnce(event.currentTarget, () => withDetail(cache, delivery.id, (detail) => eventList(detail.body, invocation))) },
    el("summary", {}, `${formatMs(after)} after the start: ${formatCount(delivery.events, "event")}, ${formatBytes(delivery.bytes)}, `,
      el("span", { class: `badge ${delivery.status < 300 ? "ok" : "bad"}` }, `status ${delivery.status}`), ` in ${formatMs(delivery.d)}${retried}`));
}
