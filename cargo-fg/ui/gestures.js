// Zooms and pans the timeline with the mouse, with fingers and with keys.

/// One step of the keys and buttons.
const ZOOM_STEP = 1.6;
const PAN_STEP = 0.15;
/// A pointer that moves less than this clicks.
const CLICK_DISTANCE = 4;

/// Handles the pointers and the wheel. `timeline` has `frame()`, `zoom(factor, x)`, `pan(px)`, `scrollBy(px)`, `click(picked)`,
/// `open(picked)` and `hover(picked, x, y)`.
function handlePointers(canvas, timeline) {
  const pointers = new Map();
  let gesture = null;
  let lastTap = null;
  const place = (event) => {
    const bounds = canvas.getBoundingClientRect();
    return { x: event.clientX - bounds.left, y: event.clientY - bounds.top };
  };
  const pickAt = ({ x, y }) => {
    const frame = timeline.frame();
    return frame ? pick(frame, x, y) : null;
  };

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    // Lines and pages in pixels.
    const unit = [1, 16, 240][event.deltaMode];
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    if (event.shiftKey && !event.ctrlKey) {
      timeline.pan(dx || dy);
    } else if (Math.abs(dx) > Math.abs(dy)) {
      timeline.pan(dx);
    } else {
      // A pinch on a touchpad arrives as a wheel with Ctrl, in small steps.
      timeline.zoom(Math.exp(Math.max(-240, Math.min(240, dy)) * (event.ctrlKey ? 0.01 : 0.0022)), place(event).x);
    }
  }, { passive: false });

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) {
      return;
    }
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    gesture = { start: place(event), moved: pointers.size > 1, distance: null };
    timeline.hover(null);
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = place(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") {
        timeline.hover(pickAt(now), now.x, now.y);
      }
      return;
    }
    if (!gesture.moved && Math.hypot(now.x - gesture.start.x, now.y - gesture.start.y) < CLICK_DISTANCE) {
      return;
    }
    gesture.moved = true;
    pointers.set(event.pointerId, now);
    if (pointers.size === 1) {
      timeline.pan(before.x - now.x);
      timeline.scrollBy(before.y - now.y);
    } else if (pointers.size === 2) {
      const [first, second] = [...pointers.values()];
      const distance = Math.max(Math.hypot(first.x - second.x, first.y - second.y), 8);
      const middle = (first.x + second.x) / 2;
      if (gesture.distance !== null) {
        timeline.pan(gesture.middle - middle);
        timeline.zoom(gesture.distance / distance, middle);
      }
      Object.assign(gesture, { distance, middle });
    }
  });
  const end = (event) => {
    if (!pointers.delete(event.pointerId)) {
      return;
    }
    if (event.type === "pointerup" && !gesture.moved) {
      const picked = pickAt(gesture.start);
      const repeated = lastTap && event.timeStamp - lastTap.time < 400 && Math.hypot(gesture.start.x - lastTap.x, gesture.start.y - lastTap.y) < 24;
      lastTap = repeated ? null : { ...gesture.start, time: event.timeStamp };
      if (repeated) {
        timeline.open(picked);
      } else {
        timeline.click(picked);
      }
    }
    if (pointers.size > 0) {
      gesture.distance = null;
    }
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => timeline.hover(null));
}

/// The keys of the timeline: what they do, and how the help shows them. Those with `focus` work while the timeline has the focus,
/// the others everywhere except in fields.
const TIMELINE_KEYS = [
  {
    keys: ["ArrowLeft", "ArrowRight"], shown: ["←", "→"], help: "pan", focus: true,
    run: (timeline, key) => timeline.panPart(key === "ArrowLeft" ? -PAN_STEP : PAN_STEP),
  },
  {
    keys: ["PageUp", "PageDown"], shown: ["PgUp", "PgDn"], help: "pan by a window", focus: true,
    run: (timeline, key) => timeline.panPart(key === "PageUp" ? -0.9 : 0.9),
  },
  {
    keys: ["+", "=", "-", "_"], shown: ["+", "−"], help: "zoom",
    run: (timeline, key) => timeline.zoom(key === "+" || key === "=" ? 1 / ZOOM_STEP : ZOOM_STEP),
  },
  { keys: ["0"], shown: ["0"], help: "show the whole run", run: (timeline) => timeline.fitAll() },
  { keys: ["Home"], shown: ["Home"], help: "show the whole run", focus: true, run: (timeline) => timeline.fitAll() },
  { keys: ["l"], shown: ["L"], help: "follow the run", run: (timeline) => timeline.follow() },
  { keys: ["End"], shown: ["End"], help: "follow the run", focus: true, run: (timeline) => timeline.follow() },
  { keys: ["f"], shown: ["F"], help: "zoom to the selected invocation", run: (timeline) => timeline.zoomToSelection() },
  {
    keys: ["[", "]"], shown: ["[", "]"], help: "previous, next invocation",
    run: (timeline, key) => timeline.step(key === "[" ? -1 : 1),
  },
  {
    keys: ["ArrowUp", "ArrowDown"], shown: ["↑", "↓"], help: "previous, next invocation", focus: true,
    run: (timeline, key) => timeline.step(key === "ArrowUp" ? -1 : 1),
  },
  {
    keys: ["{", "}"], shown: ["{", "}"], help: "previous, next failed invocation",
    run: (timeline, key) => timeline.stepFailed(key === "{" ? -1 : 1),
  },
  {
    keys: [",", "."], shown: [",", "."], help: "previous, next event, such as a fault or a loss",
    run: (timeline, key) => timeline.stepMark(key === "," ? -1 : 1),
  },
  {
    keys: ["Enter"], shown: ["Enter"], help: "open the details of the selection", focus: true,
    run: (timeline) => timeline.openDetails(),
  },
  { keys: ["Escape"], shown: ["Esc"], help: "clear the selection", run: (timeline) => timeline.deselect() },
];

/// Runs the action of a key. Returns whether there is one.
function handleKey(timeline, event, hasFocus) {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return false;
  }
  const action = TIMELINE_KEYS.find(({ keys, focus }) => keys.includes(event.key) && (hasFocus || !focus));
  action?.run(timeline, event.key);
  return action !== undefined;
}
