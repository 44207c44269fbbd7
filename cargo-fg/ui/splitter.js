// The handle between the timeline and the panels, which changes the height of the timeline.

const HEIGHT_KEY = "cargo-fg-timeline-height";
const MIN_HEIGHT = 180;
const HEIGHT_STEP = 24;

/// Creates the handle. It has no effect in a narrow window, where it is hidden.
function createSplitter() {
  const main = byId("main");
  const timeline = byId("timeline");
  const largest = () => Math.max(MIN_HEIGHT, main.clientHeight - 200);
  const set = (height) => {
    const bounded = Math.round(Math.max(MIN_HEIGHT, Math.min(height, largest())));
    main.style.setProperty("--timeline-height", `${bounded}px`);
    store("localStorage", HEIGHT_KEY, bounded);
    describeHeight();
  };
  const reset = () => {
    main.style.removeProperty("--timeline-height");
    store("localStorage", HEIGHT_KEY, null);
    describeHeight();
  };
  const splitter = el("div", {
    id: "splitter", role: "separator", tabindex: "0", "aria-orientation": "horizontal", "aria-label": "Height of the timeline",
    "aria-controls": "timeline", title: "Drag to change the height of the timeline. Double click to reset it.", ondblclick: reset,
    onkeydown: (event) => {
      const step = { ArrowUp: -HEIGHT_STEP, ArrowDown: HEIGHT_STEP }[event.key];
      if (step) {
        set(timeline.clientHeight + step);
        event.preventDefault();
      } else if (event.key === "Home") {
        reset();
        event.preventDefault();
      }
    },
    onpointerdown: (event) => {
      splitter.setPointerCapture(event.pointerId);
      event.preventDefault();
    },
    onpointermove: (event) => {
      if (splitter.hasPointerCapture(event.pointerId)) {
        set(event.clientY - main.getBoundingClientRect().top);
      }
    },
  });
  const describeHeight = () => {
    splitter.setAttribute("aria-valuemin", MIN_HEIGHT);
    splitter.setAttribute("aria-valuemax", largest());
    splitter.setAttribute("aria-valuenow", timeline.clientHeight);
  };
  const stored = readStored("localStorage", HEIGHT_KEY);
  if (Number.isFinite(stored)) {
    set(stored);
  }
  afterFrame(describeHeight);
  return splitter;
}
