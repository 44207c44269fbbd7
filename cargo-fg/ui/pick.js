// Finds what is at a place of the timeline, and describes it.

/// Spans can be clicked this far from them.
const REACH = 6;

/// Returns what is drawn at a point: `{kind, item}`, or `null`.
function pick(frame, x, y) {
  const { session, scale, places, now, scroll, marks } = frame;
  if (x < scale.left || y < AXIS_HEIGHT) {
    return null;
  }
  if (y < places.top) {
    return y < AXIS_HEIGHT + STRIP_HEIGHT ? pickInstanceSpan(frame, x) : pickMark(marks.get(null) ?? [], scale, x);
  }
  const rowY = y - places.top + scroll;
  const place = places.rows.find((row) => rowY >= row.y && rowY < row.y + row.height);
  if (!place) {
    return null;
  }
  const mark = pickMark(marks.get(place.row) ?? [], scale, x);
  const { lanes } = session.lanesOf(place.row);
  const lane = lanes[Math.min(place.lanes - 1, Math.max(0, Math.floor((rowY - place.lanesY) / place.lane)))];
  const span = nearest(lane, scale, now, x);
  if (mark && !(span && Math.abs(scale.x(mark.item.t) - x) > 4)) {
    return mark;
  }
  if (span) {
    return place.row === "telemetry" ? { kind: span.reason === undefined ? "delivery" : "attempt", item: span }
      : { kind: "invocation", item: span.invocation, span };
  }
  return pickBootOrStop(frame, place.row, x);
}

/// The span of a lane at `x`, or the nearest one within reach.
function nearest(lane, scale, now, x) {
  const next = lowerBound(lane, scale.t(x), byStart);
  let best = null;
  let distance = REACH;
  for (const span of [lane[next - 1], lane[next]]) {
    if (span) {
      const away = Math.max(scale.x(span.t) - x, x - scale.x(span.end ?? now), 0);
      if (away < distance) {
        best = span;
        distance = away;
      }
    }
  }
  return best;
}

function pickMark(marks, scale, x) {
  let found = null;
  eachCluster(marks, scale, MARK_DISTANCE, (left, first, next) => {
    if (Math.abs(left - x) < MARK_DISTANCE / 2 + 1) {
      const group = marks.slice(first, Math.min(next, first + 64));
      const item = group.reduce((best, mark) => (MARK_STYLES[mark.kind].rank > MARK_STYLES[best.kind].rank ? mark : best));
      found = { kind: "mark", item, more: next - first - 1 };
    }
  });
  return found;
}

function pickInstanceSpan(frame, x) {
  const { scale } = frame;
  const span = instanceSpans(frame).findLast(({ t, end }) => x >= scale.x(t) - 3 && x <= Math.max(scale.x(end), scale.x(t) + 3));
  return span ? { kind: "span", item: { label: span.label, t: span.t, d: span.end - span.t } } : null;
}

function pickBootOrStop({ session, scale }, row, x) {
  const within = (span) => span.row === row && x >= scale.x(span.t) - 2 && x <= Math.max(scale.x(span.t + span.d), scale.x(span.t) + 3);
  for (const instance of visibleInstances(session, scale)) {
    const start = instance.coldStarts.find(within);
    if (start) {
      return { kind: "span", item: { ...start, label: `cold start of ${row}${start.address ? ` at ${start.address}` : ""}` } };
    }
    const stop = instance.stops.find(within);
    if (stop) {
      return { kind: "span", item: { ...stop, label: `shutdown of ${row}: ${stop.status}` } };
    }
  }
  return null;
}

/// Returns the selection for something that was picked, or `null` if it cannot be selected.
function selectionOf(picked) {
  switch (picked?.kind) {
    case "invocation": return { kind: "invocation", n: picked.item.n };
    case "delivery": return { kind: "delivery", id: picked.item.id };
    case "attempt": return { kind: "attempt", id: picked.item.id };
    case "mark": return { kind: "mark", id: picked.item.id };
    default: return null;
  }
}

/// Finds what is selected: `{kind, item}`, or `null`.
function selectedItem(session, selection) {
  const inList = (list) => list.find(({ id }) => id === selection.id);
  const item = {
    invocation: () => session.invocation(selection.n),
    delivery: () => inList(session.deliveries),
    attempt: () => inList(session.attempts),
    mark: () => inList(session.marks),
  }[selection?.kind]?.();
  return item ? { kind: selection.kind, item } : null;
}

/// Describes something on the timeline: a title, and lines of `[text, row]`. With `null` as the present, it does not say for how
/// long an invocation has been in flight.
function describe(session, { kind, item, more }, now) {
  const at = formatClock(session, item.t);
  switch (kind) {
    case "invocation": return describeInvocation(session, item, now);
    case "delivery": return {
      title: `Delivery of ${formatCount(item.events, "event")}, ${formatBytes(item.bytes)}, in ${formatMs(item.d)}`,
      lines: [...Object.entries(item.types).map(([type, count]) => [`${count} × ${type}`]), [`status ${item.status} at ${at}`]],
    };
    case "attempt": return {
      title: `Delivery of ${formatCount(item.events, "event")} failed after ${formatMs(item.d)}`,
      lines: [[item.reason], [`at ${at}`]],
    };
    case "mark": return { title: item.text, lines: [...(more > 0 ? [[`and ${more} more here`]] : []), [`at ${at}`]] };
    default: return { title: `${item.label}, ${formatMs(item.d)}`, lines: [[`at ${at}`]] };
  }
}

function describeInvocation(session, invocation, now) {
  const { n, t, d, ok, extensions } = invocation;
  const at = [`at ${formatClock(session, t)}`];
  if (d === null) {
    return { title: `Invocation ${n}, in flight${now === null ? "" : ` for ${formatMs(now - t)}`}`, lines: [at] };
  }
  const run = invocation.function;
  return {
    title: `Invocation ${n} ${ok ? "succeeded" : "failed"} in ${formatMs(invocation.end - t)}`,
    lines: [
      [`function ${run.outcome} in ${formatMs(run.d)}`, "function"],
      ...extensions.map(({ row, d, status, error }) => [`${row} ${status ?? error} in ${formatMs(d)}`, row]),
      at,
    ],
  };
}
