// Draws the timeline.

/// Marks that are closer to each other are drawn as one.
const MARK_DISTANCE = 14;

/// Draws a frame. `frame` is `{session, scale, places, height, now, marks, selected, hovered, scroll}`.
function drawTimeline(painter, frame) {
  const { context, colors } = painter;
  const { scale, places, height } = frame;
  context.font = FONT;
  context.textBaseline = "middle";
  painter.rect(0, 0, scale.left + scale.width, height, colors.surface);
  context.save();
  context.beginPath();
  context.rect(0, places.top, scale.left + scale.width, height - places.top);
  context.clip();
  drawGrid(painter, frame);
  drawRowBackgrounds(painter, frame);
  context.save();
  context.beginPath();
  context.rect(scale.left, places.top, scale.width, height - places.top);
  context.clip();
  drawFreezes(painter, frame);
  drawSelectedExtent(painter, frame);
  for (const place of places.rows) {
    drawRow(painter, frame, place);
  }
  context.restore();
  drawRowLabels(painter, frame);
  context.restore();
  drawAxis(painter, frame);
  drawStrips(painter, frame);
  drawNow(painter, frame);
  drawCursor(painter, frame);
  drawScrollbar(painter, frame);
}

function drawGrid(painter, { scale, places, height, ticks }) {
  for (const { x } of ticks) {
    painter.rect(Math.round(x), places.top, 1, height, painter.colors.line, 0.55);
  }
}

/// Returns the ticks of the axis, which have room for their labels.
function axisTicks(painter, scale) {
  painter.context.font = FONT;
  const step = tickStep(Math.max(84, painter.width(formatAxisTime(scale.to, (scale.to - scale.from) / 8, scale.to)) + 26) / scale.perMs);
  const ticks = [];
  for (let index = Math.ceil(scale.from / step); index * step <= scale.to; index += 1) {
    if (index >= 0) {
      ticks.push({ x: scale.x(index * step), label: formatAxisTime(index * step, step, scale.to) });
    }
  }
  return ticks;
}

function drawAxis(painter, { session, scale, places, ticks }) {
  const { colors, context } = painter;
  painter.rect(0, 0, scale.left + scale.width, AXIS_HEIGHT, colors.raised);
  context.save();
  context.beginPath();
  context.rect(scale.left, 0, scale.width, AXIS_HEIGHT);
  context.clip();
  for (const { x, label } of ticks) {
    painter.rect(Math.round(x), AXIS_HEIGHT - 6, 1, 6, colors["line-strong"]);
    painter.text(label, x + 4, AXIS_HEIGHT / 2, colors.text);
  }
  context.restore();
  if (!places.narrow) {
    painter.text(formatClock(session, Math.max(scale.from, 0)), scale.left - 8, AXIS_HEIGHT / 2, colors.muted, "right");
    painter.rect(scale.left - 1, 0, 1, places.top, colors.line);
  }
  painter.rect(0, AXIS_HEIGHT - 1, scale.left + scale.width, 1, colors.line);
}

function drawRowBackgrounds(painter, { scale, places, scroll }) {
  for (const { y, height } of places.rows) {
    painter.rect(0, places.top - scroll + y + height - 1, scale.left + scale.width, 1, painter.colors.line, 0.8);
  }
}

function drawRowLabels(painter, { session, scale, places, scroll }) {
  const { colors } = painter;
  if (!places.narrow) {
    painter.rect(0, places.top, scale.left - 1, 4000, colors.surface);
    painter.rect(scale.left - 1, places.top, 1, 4000, colors.line);
  }
  for (const { row, y, height } of places.rows) {
    const top = places.top - scroll + y;
    const middle = places.narrow ? top + LABEL_HEIGHT / 2 + 3 : top + height / 2;
    painter.rect(8, middle - 5, 10, 10, colors[rowClass(session, row)]);
    const width = places.narrow ? scale.width - 40 : scale.left - 36;
    const label = painter.shorten(visibleText(row), width);
    if (places.narrow) {
      // Spans may pass below the label.
      painter.rect(22, middle - 7, painter.width(label) + 6, 14, colors.surface, 0.85);
    }
    painter.text(label, 24, middle, colors.text);
    if (!places.narrow) {
      painter.rect(0, top + height - 1, scale.left, 1, colors.line, 0.8);
    }
  }
}

function drawFreezes(painter, { session, scale, places, height, now }) {
  const { colors } = painter;
  eachSpan(session.freezes, scale, now, (freeze, x, width) => {
    painter.rect(x, places.top, Math.max(width, 2), height, colors["frozen-soft"]);
    painter.rect(x, places.top, Math.max(width, 2), height, painter.hatching(colors.frozen), 0.55);
  });
}

/// Marks the time of the selected invocation in all rows.
function drawSelectedExtent(painter, { scale, places, height, now, selected }) {
  if (selected?.kind === "invocation") {
    const { item } = selected;
    const x = scale.x(item.t);
    const width = ((item.end ?? now) - item.t) * scale.perMs;
    painter.rect(x - 1, places.top, Math.max(width, 1) + 2, height, painter.colors.accent, 0.14);
  }
}

function drawRow(painter, frame, place) {
  const { session, scale, now, places, scroll } = frame;
  const { colors } = painter;
  const color = colors[rowClass(session, place.row)];
  const top = places.top - scroll + place.lanesY;
  if (top + place.height < places.top || top > frame.height) {
    return;
  }
  const { lanes, overflow, failed } = session.lanesOf(place.row);
  const height = place.lane - 2;
  drawBootAndStop(painter, frame, place, color, top);
  lanes.slice(0, place.lanes).forEach((lane, index) => {
    const y = top + index * place.lane + 1;
    const columns = new Columns(painter, y, height, color);
    eachSpan(lane, scale, now, (span, x, width, count) => {
      if (count > 1 || width < 1) {
        columns.add(x, count);
      } else {
        drawSpan(painter, frame, span, x, width, y, height, color);
      }
    });
    columns.flush();
  });
  // Failed spans that are so narrow that they are drawn together with others.
  eachCluster(failed, scale, 1, (x, first) => {
    if (((failed[first].end ?? now) - failed[first].t) * scale.perMs < 1) {
      painter.rect(Math.floor(x), top, 2, place.lanes * place.lane, colors.error);
    }
  });
  if (place.row !== "function" && place.row !== "telemetry") {
    const first = firstInFlight(session);
    if (first) {
      drawPending(painter, frame, scale.x(first.t), scale.x(now), top + 1, place.lanes * place.lane - 2);
    }
  }
  const overflowY = top + place.lanes * place.lane;
  eachCluster(overflow, scale, 40, (x, first, next) => {
    const end = Math.min(scale.x(overflow[next - 1].end ?? now), x + 40);
    painter.rect(x, overflowY + 1, Math.max(end - x, 2), 3, color, 0.6);
    painter.text(`+${next - first}`, x, overflowY + 9, colors.muted);
  });
  drawMarks(painter, frame, frame.marks.get(place.row) ?? [], top + place.lane / 2);
}

/// The time of invocations in flight, whose parts in this row are not known yet.
function drawPending(painter, { scale }, x, end, y, height) {
  const left = Math.max(x, scale.left - 4);
  const width = Math.min(end, scale.left + scale.width + 4) - left;
  if (width > 0) {
    painter.rect(left, y, width, height, painter.colors.muted, 0.08);
    painter.outline(left, y, width, height, painter.colors["line-strong"], [3, 4]);
  }
}

/// Spans of a column of pixels each. The more of them are in a column, the more opaque it is.
class Columns {
  constructor(painter, y, height, color) {
    Object.assign(this, { painter, y, height, color, x: 0, end: -1, alpha: 0 });
  }

  add(x, count) {
    const left = Math.floor(x);
    const alpha = count >= 6 ? 1 : count > 1 ? 0.75 : 0.55;
    if (left <= this.end && alpha === this.alpha) {
      this.end = left + 2;
      return;
    }
    this.flush();
    Object.assign(this, { x: Math.max(left, this.end), end: left + 2, alpha });
  }

  flush() {
    if (this.alpha > 0) {
      this.painter.rect(this.x, this.y, this.end - this.x, this.height, this.color, this.alpha);
    }
  }
}

function drawSpan(painter, frame, span, x, wide, y, height, color) {
  const { scale, selected, hovered } = frame;
  const { colors } = painter;
  const left = Math.max(x, scale.left - 4);
  // A gap separates it from a span that follows at once.
  const width = Math.max(Math.min(x + wide, scale.left + scale.width + 4) - left - (wide > 4 ? 1 : 0), 2);
  const isAttempt = span.reason !== undefined;
  if (span.end === null) {
    painter.rect(left, y, width, height, color, 0.3);
    painter.outline(left, y, width, height, color, [4, 3]);
  } else if (isAttempt) {
    painter.rect(left, y, width, height, colors.surface);
    painter.rect(left, y, width, height, painter.hatching(colors.error), 0.6);
    painter.outline(left, y, width, height, colors.error);
  } else {
    painter.rect(left, y, width, height, span.failed ? colors.error : color);
    if (span.failed && width > 6) {
      painter.rect(left, y, width, height, painter.hatching(colors["on-row"]), 0.16);
    }
  }
  const item = span.invocation ?? span;
  if (selected?.item === item) {
    painter.outline(left - 2, y - 1, width + 4, height + 2, colors.surface);
    painter.outline(left - 1, y - 1, width + 2, height + 2, colors.text);
  } else if (hovered?.item === item) {
    painter.outline(left - 1, y - 1, width + 2, height + 2, colors["line-strong"]);
  }
  if (height >= 12 && width > 16) {
    const start = Math.max(left, scale.left);
    const ink = span.end === null || isAttempt ? colors.text : colors["on-row"];
    painter.fit(spanLabels(span), start + 5, y + height / 2 + 0.5, left + width - start - 9, ink);
  }
}

/// The texts of a span, of which the first one that fits is shown.
function spanLabels({ t, end, failed, invocation, extension, events, reason }) {
  const duration = formatMs(end - t);
  if (extension) {
    return failed ? [`${extension.status ?? extension.error} ${duration}`, String(extension.status ?? "failed")] : [duration];
  }
  if (!invocation) {
    return [`${formatCount(events, "event")}${reason === undefined ? "" : ` ${reason}`}`, formatCount(events, "event"), String(events)];
  }
  const name = `#${invocation.n}`;
  if (end === null) {
    return [`${name} in flight`, name];
  }
  const { outcome } = invocation.function;
  return failed ? [`${name} ${outcome} ${duration}`, `${name} ${outcome}`, outcome, name] : [`${name}  ${duration}`, name];
}

/// Draws the cold start and the shutdown of what a row shows.
function drawBootAndStop(painter, { session, scale, selected }, place, color, top) {
  const { colors } = painter;
  const height = place.lanes * place.lane - 2;
  const draw = (span, fill, label) => {
    const left = Math.max(scale.x(span.t), scale.left - 4);
    const right = Math.min(scale.x(span.t + span.d), scale.left + scale.width + 4);
    if (right < scale.left || left > scale.left + scale.width) {
      return;
    }
    const width = Math.max(right - left, 2);
    painter.rect(left, top + 1, width, height, fill, 0.16);
    painter.rect(left, top + 1, width, height, painter.hatching(fill), 0.2);
    painter.outline(left, top + 1, width, height, selected?.item === span ? colors.text : fill);
    if (height >= 12) {
      const texts = [`${label} ${formatMs(span.d)}`, formatMs(span.d)];
      painter.fit(texts, Math.max(left, scale.left) + 5, top + 1 + height / 2 + 0.5, width - 9, colors.text);
    }
  };
  for (const instance of visibleInstances(session, scale)) {
    for (const start of instance.coldStarts) {
      if (start.row === place.row) {
        draw(start, color, "cold start");
      }
    }
    for (const stop of instance.stops) {
      if (stop.row === place.row) {
        draw(stop, stop.killed ? colors.error : colors.muted, stop.killed ? "killed after" : "shutdown");
      }
    }
  }
}

/// The instances that a window shows. The last one before it is included, since it may reach into it.
function visibleInstances(session, scale) {
  const { instances } = session;
  const first = Math.max(0, lowerBound(instances, scale.from, byStart) - 1);
  const end = lowerBound(instances, scale.to, byStart);
  // So many boots cannot be told apart.
  return instances.slice(first, Math.min(end, first + 400));
}

/// What the strip of the instance shows: boots, freezes, shutdowns and builds.
function instanceSpans({ session, scale, now, buildSince }) {
  const spans = [];
  for (const instance of visibleInstances(session, scale)) {
    const { t, bootedD, failedT, shutdownT, downT, downD } = instance;
    const bootEnd = bootedD !== null ? t + bootedD : failedT ?? downT ?? shutdownT ?? (isBooting(session, instance) ? now : t);
    const hasFailed = bootedD === null && failedT !== null;
    spans.push({ t, end: bootEnd, color: hasFailed ? "error" : "accent", label: hasFailed ? "boot failed" : `boot ${instance.instance}` });
    if (downT !== null || shutdownT !== null) {
      spans.push({ t: downT ?? shutdownT, end: downT === null ? now : downT + downD, color: "muted", label: "shutdown" });
    }
  }
  eachSpan(session.freezes, scale, now, (freeze, x, width) => {
    spans.push({ t: freeze.t, end: freeze.end ?? now, width, color: "frozen", label: "frozen" });
  });
  const builds = session.builds;
  for (const build of builds.slice(Math.max(0, lowerBound(builds, scale.from, byStart) - 1), lowerBound(builds, scale.to, byStart)).slice(-400)) {
    spans.push({ t: build.t, end: build.t + build.d, color: build.outcome === "failed" ? "error" : "warning", label: `build ${build.outcome}` });
  }
  if (buildSince !== null) {
    spans.push({ t: buildSince, end: Math.max(now, buildSince), color: "warning", label: "building" });
  }
  return spans;
}

function drawStrips(painter, frame) {
  const { scale, places } = frame;
  const { colors, context } = painter;
  const y = AXIS_HEIGHT;
  painter.rect(0, y, scale.left + scale.width, 2 * STRIP_HEIGHT, colors.surface);
  context.save();
  context.beginPath();
  context.rect(scale.left, y, scale.width, 2 * STRIP_HEIGHT);
  context.clip();
  for (const span of instanceSpans(frame)) {
    const left = Math.max(scale.x(span.t), scale.left - 4);
    const right = Math.min(scale.x(span.end), scale.left + scale.width + 4);
    const width = Math.max(right - left, 2);
    if (right >= scale.left && left <= scale.left + scale.width) {
      painter.rect(left, y + 3, width, STRIP_HEIGHT - 5, colors[span.color], 0.22);
      painter.rect(left, y + 3, 2, STRIP_HEIGHT - 5, colors[span.color]);
      const texts = [`${span.label} ${formatMs(span.end - span.t)}`, span.label];
      painter.fit(texts, Math.max(left, scale.left) + 6, y + STRIP_HEIGHT / 2 + 1, width - 9, colors.text);
    }
  }
  drawMarks(painter, frame, frame.marks.get(null) ?? [], y + 1.5 * STRIP_HEIGHT);
  context.restore();
  painter.rect(0, places.top - 1, scale.left + scale.width, 1, colors.line);
  if (!places.narrow) {
    painter.text("instance", 24, y + STRIP_HEIGHT / 2 + 1, colors.muted);
    painter.text("events", 24, y + 1.5 * STRIP_HEIGHT, colors.muted);
    painter.rect(scale.left - 1, y, 1, 2 * STRIP_HEIGHT, colors.line);
  }
}

function drawMarks(painter, { scale, selected, hovered }, marks, y) {
  const { colors } = painter;
  eachCluster(marks, scale, MARK_DISTANCE, (x, first, next) => {
    const group = marks.slice(first, Math.min(next, first + 64));
    const shown = group.reduce((best, mark) => (MARK_STYLES[mark.kind].rank > MARK_STYLES[best.kind].rank ? mark : best));
    const { shape, color } = MARK_STYLES[shown.kind];
    const isSelected = group.some((mark) => mark === selected?.item || mark === hovered?.item);
    drawShape(painter, shape, x, y, colors[color], isSelected ? colors.text : colors.surface);
    const count = String(next - first);
    const room = next < marks.length ? scale.x(marks[next].t) - x - 16 : Infinity;
    if (count > 1 && y < AXIS_HEIGHT + 2 * STRIP_HEIGHT && room > painter.width(count)) {
      painter.text(count, x + 8, y, colors.muted);
    }
  });
}

/// The present, as long as something happens.
function drawNow(painter, { scale, height, now, isOpen }) {
  if (isOpen && now >= scale.from && now <= scale.to) {
    painter.rect(Math.round(scale.x(now)), AXIS_HEIGHT, 1, height, painter.colors.accent);
  }
}

/// Shows that there are more rows than fit.
function drawScrollbar(painter, { scale, places, height, scroll }) {
  const shown = height - places.top;
  if (places.content > shown) {
    const thumb = Math.max(20, (shown * shown) / places.content);
    const y = places.top + (scroll / (places.content - shown)) * (shown - thumb);
    painter.rect(scale.left + scale.width - 6, y + 2, 4, thumb - 4, painter.colors["line-strong"], 0.7);
  }
}

/// The time below the mouse, and how long it is after the start of the selected invocation.
function drawCursor(painter, { scale, height, cursor, selected }) {
  if (cursor === null || cursor < scale.left) {
    return;
  }
  const { colors } = painter;
  const t = scale.t(cursor);
  const step = tickStep(1 / scale.perMs);
  const since = selected?.kind === "invocation" ? ` (${t < selected.item.t ? "" : "+"}${formatMs(t - selected.item.t)})` : "";
  const label = `${formatAxisTime(t, step, scale.to)}${since}`;
  const width = painter.width(label) + 12;
  const left = Math.max(scale.left, Math.min(cursor - width / 2, scale.left + scale.width - width));
  painter.rect(Math.round(cursor), AXIS_HEIGHT, 1, height, colors["line-strong"], 0.6);
  painter.rect(left, 2, width, AXIS_HEIGHT - 4, colors.text);
  painter.text(label, left + 6, AXIS_HEIGHT / 2, colors.surface);
}
