// The whole run above the timeline, and the part of it that the timeline shows.

const MINIMAP_HEIGHT = 30;

/// Creates the minimap: `{element, draw(now, colors, left)}`.
function createMinimap({ session, view }, onChange) {
  const canvas = el("canvas", { "aria-hidden": "true" });
  const shown = el("div", { class: "minimap-window" }, el("i"), el("i"));
  const element = el("div", { class: "minimap", title: "The whole run. Drag to move the window." }, canvas, shown);
  const painter = new Painter(canvas);
  let scale = new Scale(0, 1, 0, 1);
  let drawn = "";

  const draw = (now, colors) => {
    const width = element.clientWidth;
    const ratio = devicePixelRatio;
    const whole = wholeWindow(session, now);
    // The window can reach beyond the run.
    scale = new Scale(Math.min(whole.from, now), whole.to, 0, width);
    const key = [
      width, ratio, session.lastId, session.generation, Math.floor(now * scale.perMs), Math.round(whole.to * scale.perMs), colors.surface,
    ].join();
    if (key !== drawn) {
      drawn = key;
      canvas.width = width * ratio;
      canvas.height = MINIMAP_HEIGHT * ratio;
      painter.context.setTransform(ratio, 0, 0, ratio, 0, 0);
      painter.setColors(colors);
      drawRun(painter, session, scale, now);
    }
    const left = Math.max(0, Math.min(width - 8, scale.x(view.from)));
    const right = Math.min(width, Math.max(scale.x(view.to), left + 8));
    shown.style.left = `${left}px`;
    shown.style.width = `${Math.max(right - left, 8)}px`;
  };

  let drag = null;
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) {
      return;
    }
    const bounds = element.getBoundingClientRect();
    const t = scale.t(event.clientX - bounds.left);
    const handle = [...shown.children].indexOf(event.target);
    if (handle < 0 && (t < view.from || t > view.to) && event.target !== shown) {
      const half = (view.to - view.from) / 2;
      onChange(t - half, t + half);
    }
    drag = { x: event.clientX, from: view.from, to: view.to, handle };
    element.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  element.addEventListener("pointermove", (event) => {
    if (drag) {
      const by = (event.clientX - drag.x) / scale.perMs;
      onChange(drag.from + (drag.handle === 1 ? 0 : by), drag.to + (drag.handle === 0 ? 0 : by));
    }
  });
  for (const name of ["pointerup", "pointercancel"]) {
    element.addEventListener(name, () => {
      drag = null;
    });
  }
  return { element, draw };
}

function drawRun(painter, session, scale, now) {
  const { colors } = painter;
  painter.rect(0, 0, scale.width, MINIMAP_HEIGHT, colors.raised);
  eachSpan(session.freezes, scale, now, (freeze, x, width) => {
    painter.rect(x, 0, Math.max(width, 1), MINIMAP_HEIGHT, painter.hatching(colors.frozen), 0.8);
  });
  const band = (lanes, y, height, color) => {
    const lane = height / lanes.length;
    lanes.forEach((spans, index) => {
      eachSpan(spans, scale, now, (span, x, width, count) => {
        const fill = span.failed && count === 1 ? colors.error : color;
        painter.rect(Math.floor(x), y + index * lane, Math.max(width, 2), Math.max(lane - 0.5, 1), fill, width < 1 && count < 3 ? 0.7 : 1);
      });
    });
  };
  for (const instance of session.instances.slice(-1000)) {
    const end = instance.bootedD === null ? instance.failedT ?? instance.downT ?? now : instance.t + instance.bootedD;
    painter.rect(scale.x(instance.t), 2, Math.max((end - instance.t) * scale.perMs, 2), 4, colors.accent, 0.8);
  }
  band(session.lanesOf("function").lanes, 8, 12, colors["row-function"]);
  band(session.lanesOf("telemetry").lanes, 22, 5, colors["row-telemetry"]);
  eachCluster(session.failures, scale, 2, (x) => {
    painter.rect(Math.floor(x), 7, 2, 14, colors.error);
  });
  eachCluster(session.losses, scale, 2, (x) => {
    painter.rect(Math.floor(x), 21, 2, 7, colors.error);
  });
}
