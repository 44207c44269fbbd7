// Where the timeline shows what: lanes of overlapping spans, rows, the scale of time, and ticks.

/// Rows have at most so many lanes. What overlaps even more is counted.
const MAX_LANES = 5;
const MAX_TELEMETRY_LANES = 3;

/// Spans of time in as few lanes as possible, so that the spans in one lane do not overlap, and both their starts and their
/// ends are sorted. A span has `t` and `end`, which is `null` as long as it has not ended.
class Lanes {
  constructor(max) {
    this.max = max;
    this.lanes = [[]];
    /// Those that do not fit into a lane, sorted by start.
    this.overflow = [];
    /// Those that failed, sorted by start.
    this.failed = [];
  }

  add(span) {
    if (!this.lanes.some((lane) => place(span, lane))) {
      if (this.lanes.length < this.max) {
        this.lanes.push([span]);
      } else {
        insertSorted(this.overflow, span, byStart);
      }
    }
    this.finished(span);
  }

  /// Moves the start of a span that has not ended. In a lane, nothing follows it.
  delayed(span, t) {
    const index = this.overflow.indexOf(span, lowerBound(this.overflow, span.t, byStart));
    span.t = Math.max(span.t, t);
    if (index >= 0) {
      this.overflow.splice(index, 1);
      insertSorted(this.overflow, span, byStart);
    }
  }

  finished(span) {
    if (span.failed) {
      insertSorted(this.failed, span, byStart);
    }
  }

  /// Removes the spans that started before a time.
  forget(t) {
    for (const list of [...this.lanes, this.overflow, this.failed]) {
      list.splice(0, lowerBound(list, t, byStart));
    }
  }
}

/// Puts a span into a lane, if it is free at this time. Most spans start after all others.
function place(span, lane) {
  const last = lane[lane.length - 1];
  if (!last || spanEnd(last) <= span.t) {
    lane.push(span);
    return true;
  }
  const index = lowerBound(lane, span.t, byStart);
  const isFree = (index === 0 || spanEnd(lane[index - 1]) <= span.t) && (index === lane.length || spanEnd(span) <= lane[index].t);
  if (isFree) {
    lane.splice(index, 0, span);
  }
  return isFree;
}

const spanEnd = (span) => span.end ?? Infinity;

/// Maps times to pixels.
class Scale {
  constructor(from, to, left, width) {
    Object.assign(this, { from, to, left, width, perMs: width / Math.max(to - from, 1e-6) });
  }

  x(t) {
    return this.left + (t - this.from) * this.perMs;
  }

  t(x) {
    return this.from + (x - this.left) / this.perMs;
  }
}

/// Visits what a window shows of spans that are sorted and do not overlap: `visit(span, x, width, count, index)`. Spans that
/// start in the same column of pixels, and are narrower than a pixel, are visited once, with their number. So this takes as
/// long as the window is wide, however many spans there are.
function eachSpan(spans, scale, now, visit) {
  const { from, to, perMs } = scale;
  for (let index = Math.max(0, lowerBound(spans, from, byStart) - 1); index < spans.length;) {
    const span = spans[index];
    if (span.t > to) {
      return;
    }
    const x = scale.x(span.t);
    const width = ((span.end ?? now) - span.t) * perMs;
    let next = index + 1;
    if (width < 1) {
      next = lowerBound(spans, scale.t(Math.floor(x) + 1), byStart, next);
      const last = spans[next - 1];
      if (next - 1 > index && ((last.end ?? now) - last.t) * perMs >= 1) {
        next -= 1;
      }
    }
    if (x + Math.max(width, 2) >= scale.left) {
      visit(span, x, width, next - index, index);
    }
    index = next;
  }
}

/// Visits groups of elements of which each is not more than `distance` pixels right of the first one.
function eachCluster(elements, scale, distance, visit) {
  const end = lowerBound(elements, scale.to, byStart);
  for (let index = lowerBound(elements, scale.from, byStart); index < end;) {
    const x = scale.x(elements[index].t);
    const next = Math.min(end, lowerBound(elements, scale.t(x + distance), byStart, index + 1));
    visit(x, index, next);
    index = next;
  }
}

/// Below this width, labels have a line of their own.
const NARROW = 700;
const AXIS_HEIGHT = 24;
const STRIP_HEIGHT = 20;
const LABEL_HEIGHT = 16;
const ROW_PADDING = 4;
const OVERFLOW_HEIGHT = 14;
const MIN_LANE = 6;
const MAX_LANE = 22;
/// A lane can be so high if there is room.
const TALL_LANE = 28;

/// How many lanes of each row are shown. Rows have only as many lanes as the window needs, but they do not shrink while the user
/// pans.
class ShownLanes {
  constructor() {
    this.counts = new Map();
    this.key = "";
  }

  update(session, scale, now) {
    const key = `${session.generation} ${scale.perMs.toPrecision(6)}`;
    if (key !== this.key) {
      this.key = key;
      this.counts.clear();
    }
    for (const row of session.rows) {
      const { lanes, overflow } = session.lanesOf(row);
      const shown = this.counts.get(row) ?? { lanes: 1, overflow: 0 };
      const used = lanes.findLastIndex((lane) => hasSpans(lane, scale, now)) + 1;
      this.counts.set(row, {
        lanes: Math.max(shown.lanes, used),
        overflow: hasSpans(overflow, scale, now) ? OVERFLOW_HEIGHT : shown.overflow,
      });
    }
  }
}

/// Whether some of the spans are in the window.
function hasSpans(spans, { from, to }, now) {
  const index = lowerBound(spans, from, byStart);
  return (index < spans.length && spans[index].t <= to) || (index > 0 && (spans[index - 1].end ?? now) >= from);
}

/// The places of the rows: `{narrow, gutter, top, content, rows: [{row, y, height, lanesY, lane, lanes, overflow}]}`. In a narrow
/// window, the labels are above the lanes, not at their left.
function placeRows(session, width, height, gutter, shownLanes) {
  const narrow = width < NARROW;
  const top = AXIS_HEIGHT + 2 * STRIP_HEIGHT;
  const label = narrow ? LABEL_HEIGHT : 0;
  const needs = session.rows.map((row) => ({ row, ...shownLanes.counts.get(row) }));
  const fixed = needs.reduce((sum, need) => sum + need.overflow + label + 2 * ROW_PADDING, 0);
  const lanes = needs.reduce((sum, need) => sum + need.lanes, 0);
  const lane = Math.min(TALL_LANE, Math.max(MIN_LANE, Math.floor((height - top - fixed) / lanes)));
  let y = 0;
  const rows = needs.map((need) => {
    // A single lane must have room for text.
    const laneHeight = need.lanes === 1 ? Math.max(lane, 16) : lane;
    const rowHeight = need.lanes * laneHeight + need.overflow + label + 2 * ROW_PADDING;
    const placed = { ...need, y, height: rowHeight, lanesY: y + label + ROW_PADDING, lane: laneHeight };
    y += rowHeight;
    return placed;
  });
  return { narrow, gutter, top, rows, content: y };
}

/// The width of the labels at the left.
function gutterWidth(width, labelWidth) {
  return width < NARROW ? 0 : Math.max(120, Math.min(labelWidth + 36, 240));
}

/// The height in which all rows have room.
function preferredHeight(session, narrow) {
  return session.rows.reduce((sum, row) => {
    const { lanes, overflow } = session.lanesOf(row);
    return sum + 2 * ROW_PADDING + (lanes.length === 1 ? (narrow ? 16 : MAX_LANE) : lanes.length * (narrow ? 12 : 16))
      + (narrow ? LABEL_HEIGHT : 0) + (overflow.length > 0 ? OVERFLOW_HEIGHT : 0);
  }, AXIS_HEIGHT + 2 * STRIP_HEIGHT);
}

const TICK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400].map((s) => s * 1000);

/// Returns the distance of ticks, in milliseconds: a round number.
function tickStep(minMs) {
  if (minMs > 500) {
    return TICK_STEPS.find((step) => step >= minMs) ?? Math.ceil(minMs / 86_400_000) * 86_400_000;
  }
  const power = 10 ** Math.floor(Math.log10(minMs));
  return power * [1, 2, 5, 10].find((factor) => power * factor >= minMs * 0.999_999);
}

/// Formats the time at a tick, as precisely as the distance of ticks requires: "250 µs", "12.5 ms", "1.25 s", "3:07.5".
function formatAxisTime(t, step, to) {
  if (t < 0) {
    return `−${formatAxisTime(-t, step, to)}`;
  }
  const decimals = (unit) => Math.max(0, Math.min(9, Math.ceil(-Math.log10(step / unit) - 1e-6)));
  if (Math.abs(t) < step / 1000) {
    return "0";
  }
  if (to <= 1) {
    return `${(t * 1000).toFixed(decimals(0.001))} µs`;
  }
  if (to <= 1000) {
    return `${t.toFixed(decimals(1))} ms`;
  }
  const places = decimals(1000);
  if (to <= 60_000) {
    return `${(t / 1000).toFixed(places)} s`;
  }
  const rounded = Math.round((t / 1000) * 10 ** places) / 10 ** places;
  const minutes = Math.floor(rounded / 60 + 1e-9);
  const seconds = Math.max(0, rounded - minutes * 60).toFixed(places).padStart(places > 0 ? places + 3 : 2, "0");
  return minutes < 60 ? `${minutes}:${seconds}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${seconds}`;
}
