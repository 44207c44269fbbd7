// What was slow in an invocation, and why it failed: only what the entries show, in plain sentences with numbers.

/// An invocation is compared with the others only if at least this many have finished.
const MIN_COMPARED = 5;
/// A difference in milliseconds that is worth a sentence. Smaller ones are noise of the machine.
const NOTABLE_MS = 5;
/// Telemetry that arrives later than this after its invocation is late.
const LATE_TELEMETRY_MS = 250;
/// The reason of a loss of which not all events are known.
const BUFFER_FULL = "the buffer was full";
/// Without enough others to compare with, an invocation is slow if it takes this much longer than requested.
const SLOW_MS = 100;
/// A cold start that takes longer is worth a look.
const SLOW_BOOT_MS = 1000;

const indexes = new WeakMap();

/// Returns what analyses look up again and again: deliveries and losses by trace ID, and medians. It is extended when the session
/// grows.
function indexOf(session) {
  let index = indexes.get(session);
  if (!index || index.generation !== session.generation) {
    index = { generation: session.generation, deliveries: byTraceId(), losses: byTraceId(), finished: -1, medians: null };
    indexes.set(session, index);
  }
  index.deliveries.extend(session.deliveries);
  index.losses.extend(session.losses);
  return index;
}

/// Returns an index of deliveries or losses by trace ID.
function byTraceId() {
  const found = new Map();
  const seen = new Set();
  return {
    get: (traceId) => found.get(traceId) ?? [],
    extend(list) {
      // They are sorted by their start, so a new one is near the end, but not always the last.
      for (let at = list.length - 1; at >= 0 && seen.size < list.length; at -= 1) {
        const element = list[at];
        if (!seen.has(element.id)) {
          seen.add(element.id);
          for (const traceId of element.traceIds) {
            if (found.has(traceId)) {
              insertSorted(found.get(traceId), element, byStart);
            } else {
              found.set(traceId, [element]);
            }
          }
        }
      }
    },
  };
}

/// Returns the deliveries that contained events of an invocation, in the order of their start. If others have the same trace ID, a
/// delivery belongs to the last one that had started.
function deliveriesOf(session, invocation) {
  const found = indexOf(session).deliveries.get(invocation.traceId);
  const { t, next, isRepeated } = invocation;
  return next || isRepeated ? found.filter((delivery) => delivery.t >= t && (!next || delivery.t < next.t)) : found;
}

/// Returns the losses that contained events of an invocation, in their order.
function lossesOf(session, invocation) {
  return indexOf(session).losses.get(invocation.traceId);
}

/// Returns the durations of all finished invocations, and of each row in them, sorted.
function durationsOf(session) {
  const index = indexOf(session);
  const finished = session.invocations.length - session.inFlight.size;
  // Sorting takes long if there are many, and then a few more change nothing.
  if (Math.abs(finished - index.finished) > index.finished / 500) {
    index.finished = finished;
    const rows = new Map([["function", []]]);
    const total = [];
    for (const invocation of session.invocations) {
      if (invocation.d === null || isCanceled(invocation)) {
        continue;
      }
      total.push(invocation.d);
      rows.get("function").push(invocation.function.d);
      for (const { row, d } of invocation.extensions) {
        if (!rows.has(row)) {
          rows.set(row, []);
        }
        rows.get(row).push(d);
      }
    }
    const sort = (values) => Float64Array.from(values).sort();
    index.medians = { total: sort(total), rows: new Map([...rows].map(([row, values]) => [row, sort(values)])) };
  }
  return index.medians;
}

/// Returns whether an invocation was canceled by a shutdown of the instance. Then its duration says nothing.
function isCanceled(invocation) {
  return invocation.function?.outcome === "canceled";
}

/// Returns the value below which the share `q` of the sorted values lies, or `null` if there are none.
function quantile(sorted, q) {
  if (sorted.length === 0) {
    return null;
  }
  const position = (sorted.length - 1) * q;
  const low = Math.floor(position);
  const high = Math.ceil(position);
  return sorted[low] + (sorted[high] - sorted[low]) * (position - low);
}

/// Returns whether an invocation took notably longer than its function, than the others of the run, or than requested if there
/// are few others.
function isSlow(session, invocation) {
  if (invocation.d === null || isCanceled(invocation)) {
    return false;
  }
  const { total } = durationsOf(session);
  const expected = total.length < MIN_COMPARED ? invocation.durationMs ?? 0 : invocation.function.d;
  return invocation.d - expected >= SLOW_MS || isSlowerThanOthers(total, invocation);
}

/// Returns whether an invocation took notably longer than the others, if there are enough of them.
function isSlowerThanOthers(total, invocation) {
  const median = quantile(total, 0.5);
  return total.length >= MIN_COMPARED && invocation.d > Math.max(2 * median, median + NOTABLE_MS);
}

/// Returns the part that ended last: the function, or the response of an extension.
function lastPart(parts) {
  return parts.reduce((last, part) => (part.end > last.end ? part : last));
}

/// Returns the function and the responses of the extensions, with their times from the start of the invocation.
function partsOf(invocation) {
  const { function: span, extensions } = invocation;
  const parts = [{ row: "function", start: 0, d: span?.d ?? 0, end: span?.d ?? 0, ok: span?.outcome === "ok" }];
  for (const { row, after, d, status, error } of extensions) {
    parts.push({ row, start: after, d, end: after + d, ok: status === 200, status, error });
  }
  return parts;
}

/// Returns the extension that took longest, or `null` if none responded or was asked.
function slowestExtension(invocation) {
  return invocation.extensions.reduce((slowest, part) => (slowest && slowest.d >= part.d ? slowest : part), null);
}

/// Returns the name of the fault that a mark is about.
function faultName(mark) {
  return /^fault ([^:]+):/.exec(mark.text)?.[1] ?? "";
}

/// Returns the marks of a kind from one time to another.
function marksBetween(session, kind, from, to) {
  const start = lowerBound(session.marks, from, byStart);
  const found = [];
  for (let index = start; index < session.marks.length && session.marks[index].t <= to; index += 1) {
    if (session.marks[index].kind === kind) {
      found.push(session.marks[index]);
    }
  }
  return found;
}

/// Returns the other invocations that were in flight at some time between two times.
function othersBetween(session, invocation, from, to) {
  return session.invocations.filter((other) => other !== invocation && other.t < to && endOf(session, other) > from);
}

/// Returns when an invocation finished, or the last known time if it has not.
function endOf(session, invocation) {
  return invocation.d === null ? Math.max(session.end, invocation.t) : invocation.t + invocation.d;
}

/// Returns for how long two intervals overlap.
function overlap(from, to, otherFrom, otherTo) {
  return Math.max(0, Math.min(to, otherTo) - Math.max(from, otherFrom));
}

/// Returns for how long the instance was frozen between two times.
function frozenBetween(session, from, to) {
  return session.freezes.reduce((sum, freeze) => sum + overlap(from, to, freeze.t, freeze.end ?? Infinity), 0);
}

/// Formats a factor: "1.8", "12", "270".
function formatFactor(factor) {
  return factor < 9.95 ? String(Number(factor.toFixed(1))) : numberFormat.format(Math.round(factor));
}

/// Returns the findings about an invocation, the most important first. Each has a `text` and a `tone`: `bad` for a failure,
/// `slow` for something that cost time, `plain` for the rest.
function whatWasSlow(session, invocation) {
  const findings = [];
  const add = (tone, text) => findings.push({ tone, text });
  if (invocation.d === null) {
    inFlightFindings(session, invocation, add);
    return findings;
  }
  if (isCanceled(invocation)) {
    add("bad", `It was canceled after ${formatMs(invocation.d)}, before it had finished.`);
    circumstanceFindings(session, invocation, add);
    return findings;
  }
  failureFindings(invocation, add);
  const slow = isSlow(session, invocation);
  partFindings(session, invocation, slow, add);
  circumstanceFindings(session, invocation, add);
  const costly = slow || findings.some(({ tone }) => tone === "slow");
  telemetryFindings(session, invocation, add);
  if (!costly) {
    const start = findings.some(({ tone }) => tone === "slow") ? "The invocation itself was not slow" : "Nothing was slow";
    findings.unshift({ tone: "plain", text: `${start}: ${durationSentence(session, invocation)}` });
  }
  const order = ["bad", "slow", "plain"];
  return findings.sort((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone));
}

function inFlightFindings(session, invocation, add) {
  const end = endOf(session, invocation);
  if (session.ended) {
    add("bad", `It had not finished when the run ended, ${formatMs(end - invocation.t)} after it was sent.`);
  } else {
    add("plain", "It is in flight.");
  }
  const frozen = frozenBetween(session, invocation.t, end);
  if (frozen > 0) {
    add("slow", `The instance was frozen for ${formatMs(frozen)} of this time.`);
  }
}

function failureFindings(invocation, add) {
  const { function: span, extensions, outcome, ok } = invocation;
  const wanted = outcome ?? "ok";
  const responded = extensions.every(({ status }) => status === 200);
  if (span.outcome !== wanted || (!ok && responded)) {
    const status = span.status === null ? "" : ` with status ${span.status}`;
    const requested = outcome === null || outcome === "ok" || outcome === span.outcome ? "" : `; the requested outcome was ${outcome}`;
    const verbs = { ok: "succeeded", error: "failed", timeout: "timed out" };
    const message = span.response === "" ? "" : `: ${oneLine(errorMessage(span.response))}`;
    add("bad", `The function ${verbs[span.outcome] ?? `ended with ${span.outcome}`}${status} after ${formatMs(span.d)}${requested}${span.outcome === "ok" ? "" : message}.`);
  } else if (wanted !== "ok") {
    add("plain", `The function ended with ${wanted}, as requested.`);
  }
  for (const { row, d, status, error } of extensions) {
    if (status !== 200) {
      const what = status === null ? "did not respond" : `responded with status ${status}`;
      add("bad", `${row} ${what} after ${formatMs(d)}${error === "" ? "" : `: ${oneLine(errorMessage(error))}`}.`);
    }
  }
}

/// Returns the message of an error in the format of the platform, or else the whole text.
function errorMessage(body) {
  const value = attempt(() => JSON.parse(body));
  const { errorType, errorMessage: message } = Object(value?.errorInfo ?? value);
  return typeof message !== "string" || message === "" ? body : errorType ? `${errorType}: ${message}` : message;
}

/// Returns the start of a text in one line, without the period at its end.
function oneLine(text) {
  const line = text.slice(0, 400).replace(/\s+/g, " ").trim();
  return (line.length > 200 ? `${line.slice(0, 200)}…` : line).replace(/\.$/, "");
}

/// Says which part took the time, and how this compares with other invocations.
function partFindings(session, invocation, slow, add) {
  const { d, t } = invocation;
  const parts = partsOf(invocation);
  const last = lastPart(parts);
  const { total, rows } = durationsOf(session);
  const median = quantile(total, 0.5);
  const cost = d >= NOTABLE_MS;
  if (cost) {
    const name = last.row === "function" ? "The function" : last.row;
    const before = last.start >= NOTABLE_MS ? `, from ${formatMs(last.start)} after the start` : "";
    const took = last.d >= 0.99 * d ? `all of the ${formatMs(d)}` : `${formatMs(last.d)} of ${formatMs(d)}`;
    add(slow && last.start <= d / 2 ? "slow" : "plain", `${name} took ${took}${before}${restFinished(parts, last)}.`);
  }
  const requested = invocation.durationMs ?? 0;
  if (slow && last.row === "function" && requested >= NOTABLE_MS && requested <= last.d) {
    add("plain", `The synthetic function was asked to run for ${formatMs(requested)}.`);
  }
  const rest = d - Math.max(...parts.map((part) => part.end));
  if (rest >= NOTABLE_MS) {
    add(slow && rest > d / 2 ? "slow" : "plain", `The last ${formatMs(rest)} passed in cargo fg, after the function and the extensions had finished.`);
  }
  if (total.length >= MIN_COMPARED && slow && !isSlowerThanOthers(total, invocation)) {
    add("plain", `The median of ${formatCount(total.length, "invocation")} is ${formatMs(median)}.`);
  } else if (slow && total.length >= MIN_COMPARED) {
    add("slow", `This is ${formatFactor(d / median)} × the median of ${formatMs(median)} of ${formatCount(total.length, "invocation")}.`);
    const values = rows.get(last.row);
    const usual = quantile(values, 0.5);
    if (usual > 0 && Math.abs(usual - median) > 0.1 * median && last.d >= 2 * usual && last.d - usual >= NOTABLE_MS) {
      add("slow", `${last.row === "function" ? "The function" : last.row} usually takes ${formatMs(usual)} (the median).`);
    }
  }
  const end = t + d;
  const frozen = frozenBetween(session, t, end);
  if (frozen > 0) {
    add("slow", `The instance was frozen for ${formatMs(frozen)} of it.`);
  }
  postFindings(session, invocation, add);
  if (new Set(invocation.extensions.map(({ row }) => row)).size < invocation.extensions.length) {
    add("plain", "The event was posted twice, with the same trace ID.");
  }
}

/// Says when the parts other than the last one had finished.
function restFinished(parts, last) {
  const rest = parts.filter((part) => part !== last);
  if (rest.length === 0) {
    return "";
  }
  if (rest.length === 1) {
    const name = rest[0].row === "function" ? "the function itself" : rest[0].row;
    return `; ${name} finished after ${formatMs(rest[0].end)}`;
  }
  const end = Math.max(...rest.map((part) => part.end));
  return `; the others had finished after ${formatMs(end)}`;
}

/// Says when the event was posted late. A fault is named as the cause only if it cannot belong to another invocation.
function postFindings(session, invocation, add) {
  const late = invocation.extensions.filter(({ after }) => after >= NOTABLE_MS);
  if (late.length === 0) {
    return;
  }
  const { t } = invocation;
  const first = new Map();
  for (const { row, after } of late) {
    const isSecond = invocation.extensions.some((other) => other.row === row && other.after < after);
    if (!isSecond) {
      first.set(row, after);
    }
  }
  const alone = (mark) => othersBetween(session, invocation, mark.t - 1, mark.t + 1).length === 0;
  const faults = ["event-late", "event-malformed", "event-huge", "telemetry-before"].filter((name) => {
    const marks = marksBetween(session, "fault", t - 1, t + invocation.d).filter((mark) => faultName(mark) === name);
    return marks.length > 0 && marks.every(alone);
  });
  if (first.size > 0) {
    const after = Math.min(...first.values());
    const to = first.size === 1 && session.rows.length > 3 ? ` to ${[...first.keys()][0]}` : "";
    const cause = faults.length === 0 ? "" : `, because of the fault ${faults.join(" and the fault ")}`;
    add("slow", `The event was posted${to} ${formatMs(after)} after the start${cause}.`);
  }
}

/// Says what else happened at the same time. These are circumstances, not causes.
function circumstanceFindings(session, invocation, add) {
  const { t, d } = invocation;
  const end = t + d;
  const instance = instanceAt(session, t);
  if (instance && instance.bootedD !== null && isFirstIn(session, instance, invocation)) {
    const starts = instance.coldStarts.filter((start) => start.t < instance.t + instance.bootedD);
    const slowest = starts.reduce((slow, start) => (slow && slow.d >= start.d ? slow : start), null);
    const most = slowest && slowest.d >= SLOW_MS && slowest.d > instance.bootedD / 2 ? `, of which ${slowest.row === "function" ? "the function" : slowest.row} took ${formatMs(slowest.d)}` : "";
    add(instance.bootedD >= SLOW_BOOT_MS ? "slow" : "plain", `It was the first invocation after a cold start of ${formatMs(instance.bootedD)}${most}.`);
  }
  const restart = instance?.coldStarts.find(({ row, t: at, d: took }) => row === "function" && overlap(t, end, at, at + took) > 0);
  if (restart) {
    add("slow", `The function was started during it, which took ${formatMs(restart.d)}.`);
  }
  const freeze = session.freezes.findLast((candidate) => candidate.end !== null && candidate.end <= t);
  if (freeze && t - freeze.end < 50) {
    add("plain", `The instance was thawed ${formatMs(t - freeze.end)} before the start; it had been frozen for ${formatMs(freeze.end - freeze.t)}.`);
  }
  const others = othersBetween(session, invocation, t, end).length;
  if (others > 0) {
    add("plain", `It ran at the same time as ${others === 1 ? "1 other" : `${numberFormat.format(others)} others`}.`);
  }
  const builds = session.builds.filter((build) => overlap(t, end, build.t, build.t + build.d) > 0);
  if (builds.length > 0) {
    add("plain", "A build ran at the same time.");
  }
  if (instance && instance.shutdownT !== null && instance.shutdownT > t && instance.shutdownT < end) {
    add("plain", `The shutdown of the instance started ${formatMs(instance.shutdownT - t)} after the start of the invocation.`);
  }
  for (const mark of marksBetween(session, "exited", t, end)) {
    add("bad", `${capitalized(mark.text)}, ${formatMs(mark.t - t)} after the start.`);
  }
}

function capitalized(text) {
  return text.startsWith("function ") ? `The ${text}` : text;
}

/// Returns the instance that ran at a time.
function instanceAt(session, t) {
  return session.instances.findLast((instance) => instance.t <= t) ?? null;
}

function isFirstIn(session, instance, invocation) {
  const booted = instance.t + instance.bootedD;
  return !session.invocations.some((other) => other !== invocation && other.t >= booted && other.t < invocation.t);
}

/// Says when the telemetry of an invocation arrived, and what was lost.
function telemetryFindings(session, invocation, add) {
  const { t } = invocation;
  // The platform reports an invocation when the function and all extensions are done.
  const done = t + invocation.d;
  const deliveries = deliveriesOf(session, invocation);
  const losses = lossesOf(session, invocation);
  const last = deliveries[deliveries.length - 1];
  for (const loss of losses) {
    add("bad", `${last ? "Some of its telemetry" : "Its telemetry"} was lost ${formatMs(loss.t - t)} after the start, in a batch of ${formatCount(loss.events, "event")}: ${oneLine(loss.reason)}.`);
  }
  if (last) {
    const arrived = last.t + last.d;
    // Batches are posted one at a time, so each failed attempt until then delayed it.
    const failed = attemptsBetween(session, t, last.t);
    if (arrived - done >= LATE_TELEMETRY_MS || failed.length > 0) {
      const attempts = failed.length === 0 ? "" : `; until then, ${formatCount(failed.length, "attempt")} to deliver telemetry failed (${reasonsOf(failed)})`;
      const when = arrived > done ? `${formatMs(arrived - done)} after the invocation had finished` : "before the invocation had finished";
      add("slow", `Its last telemetry arrived ${when}${attempts}.`);
      const frozen = frozenBetween(session, done, arrived);
      if (frozen > 0) {
        add("plain", `The instance was frozen for ${formatMs(frozen)} of the time until then.`);
      }
    }
  } else if (losses.length === 0 && marksBetween(session, "subscribed", instanceAt(session, t)?.t ?? 0, done).length > 0 && session.end - done > 1000) {
    add("plain", "No telemetry about it was delivered.");
  }
  if (invocation.next || invocation.isRepeated) {
    add("plain", "Other invocations have the same trace ID, so telemetry of one of them may be counted as that of another.");
  }
  const until = Math.max(endOf(session, invocation), last ? last.t + last.d : 0) + 1;
  // If the buffer was full, or a recording does not have the trace IDs, it is not known what all of the events were about.
  const unknown = session.losses.filter((loss) => loss.t >= t && loss.t <= until && (loss.traceIds.length === 0 || loss.reason === BUFFER_FULL));
  for (const loss of unknown.filter((loss) => !losses.includes(loss))) {
    add("bad", `${formatCount(loss.events, "telemetry event")} ${loss.events === 1 ? "was" : "were"} lost ${formatMs(loss.t - t)} after the start: ${oneLine(loss.reason)}. ${loss.events === 1 ? "It may be about another invocation" : "They may be about other invocations"}.`);
  }
}

/// Returns the failed attempts to deliver the batch of a delivery. Batches are posted one at a time, so they are those since the
/// batch before.
function attemptsOf(session, delivery) {
  const index = session.deliveries.indexOf(delivery);
  const before = session.deliveries[index - 1];
  const loss = session.losses.findLast(({ t }) => t < delivery.t);
  const from = Math.max(before ? before.t + before.d : 0, loss ? loss.t : 0);
  return attemptsBetween(session, from, delivery.t).filter(({ events }) => events === delivery.events);
}

/// Returns the failed attempts to deliver telemetry that started between two times.
function attemptsBetween(session, from, to) {
  const { attempts } = session;
  return attempts.slice(lowerBound(attempts, from, byStart), lowerBound(attempts, to, byStart));
}

/// Returns the different reasons of failed attempts.
function reasonsOf(attempts) {
  const reasons = new Set(attempts.map(({ reason }) => /status \d+$/.exec(reason)?.[0] ?? oneLine(reason)));
  return [...reasons].slice(0, 3).join("; ");
}

/// Says how long an invocation took, and what this can be compared with.
function durationSentence(session, invocation) {
  const { total } = durationsOf(session);
  const requested = invocation.durationMs ?? 0;
  const start = `it took ${formatMs(invocation.d)}`;
  if (requested >= NOTABLE_MS) {
    return `${start}, and the synthetic function was asked to run for ${formatMs(requested)}.`;
  }
  if (total.length < MIN_COMPARED) {
    return `${start}.`;
  }
  return `${start}, and the median of ${formatCount(total.length, "invocation")} is ${formatMs(quantile(total, 0.5))}.`;
}
