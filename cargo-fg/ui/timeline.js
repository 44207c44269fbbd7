// The timeline: one row for the function, each extension and telemetry, on a canvas.

const MAX_WINDOW_FACTOR = 1.4;
const ANIMATION_MS = 160;

function createTimeline(app) {
  const { session, source, view } = app;
  const canvas = el("canvas", {
    tabindex: "0", role: "application", "aria-label": "Timeline", "aria-describedby": "timeline-hint timeline-line",
  });
  const area = el("div", { class: "timeline-area" }, canvas);
  const tooltip = el("div", { class: "tooltip", hidden: true });
  const line = el("div", { id: "timeline-line", class: "timeline-line muted", "aria-live": "polite" });
  const button = (text, title, action, attributes) => el("button", { type: "button", title, onclick: action, ...attributes }, text);
  const toggleFollow = () => (view.follow ? view.setWindow(view.from, view.to) : timeline.follow());
  const followButton = button("Follow", "Follow the run (L)", toggleFollow, { hidden: !source.live });
  const toolbar = el("div", { class: "timeline-bar", role: "toolbar", "aria-label": "Timeline" },
    followButton,
    button("Fit all", "Show the whole run (0)", () => timeline.fitAll()),
    button("−", "Zoom out (−)", () => timeline.zoom(ZOOM_STEP), { class: "icon", "aria-label": "Zoom out" }),
    button("+", "Zoom in (+)", () => timeline.zoom(1 / ZOOM_STEP), { class: "icon", "aria-label": "Zoom in" }),
    button("‹", "Previous invocation ([)", () => timeline.step(-1), { class: "icon", "aria-label": "Previous invocation" }),
    button("›", "Next invocation (])", () => timeline.step(1), { class: "icon", "aria-label": "Next invocation" }),
    line,
  );
  const setWindow = (from, to, follow = false) => {
    const whole = wholeWindow(session, now());
    const width = Math.max(MIN_WINDOW_MS, Math.min(to - from, (whole.to - whole.from) * MAX_WINDOW_FACTOR));
    const middle = Math.max(whole.from, Math.min((from + to) / 2, whole.to));
    view.setWindow(middle - width / 2, middle + width / 2, follow);
  };
  const minimap = createMinimap(app, (from, to) => {
    stopAnimation();
    setWindow(Math.min(from, to - MIN_WINDOW_MS), to);
  });
  const painter = new Painter(canvas);
  const shownLanes = new ShownLanes();
  let colors = null;
  let frame = null;
  let scroll = 0;
  let hovered = null;
  let marks = { key: "", byRow: new Map() };
  let scheduled = false;
  let timer = null;
  let animation = null;
  /// The build that is running: `{session, since}`.
  let build = null;
  let cursor = null;

  /// Whether something goes on.
  const isOpen = () => {
    const instance = session.instance();
    const freeze = session.freezes[session.freezes.length - 1];
    const isChanging = instance !== null
      && (isBooting(session, instance) || (instance.shutdownT !== null && instance.downT === null));
    return source.live && source.connected && !session.ended
      && (session.inFlight.size > 0 || build !== null || freeze?.end === null || isChanging);
  };
  /// The present, or the last time of the run if nothing goes on.
  const now = () => session.now(isOpen());

  const schedule = () => {
    if (!scheduled) {
      scheduled = true;
      clearTimeout(timer);
      requestAnimationFrame(draw);
    }
  };

  const marksByRow = () => {
    const key = `${session.generation}/${session.lastId}`;
    if (marks.key !== key) {
      const byRow = new Map();
      for (const mark of session.marks) {
        // Builds are spans.
        if (mark.kind !== "build") {
          const row = byRow.get(mark.row) ?? [];
          row.push(mark);
          byRow.set(mark.row, row);
        }
      }
      marks = { key, byRow };
    }
    return marks.byRow;
  };

  function draw() {
    scheduled = false;
    const width = area.clientWidth;
    const height = area.clientHeight;
    if (width === 0 || height === 0) {
      return;
    }
    const present = now();
    moveWindow(present);
    colors ??= readColors(area);
    painter.setColors(colors);
    const ratio = devicePixelRatio;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    painter.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const gutter = gutterWidth(width, painter.labelWidth(session.rows));
    const scale = new Scale(view.from, view.to, gutter, width - gutter);
    shownLanes.update(session, scale, present);
    const places = placeRows(session, width, height, gutter, shownLanes);
    scroll = Math.max(0, Math.min(scroll, places.content - (height - places.top)));
    const open = isOpen();
    frame = {
      session, scale, places, height, now: present, scroll, hovered, marks: marksByRow(), isOpen: open, buildSince: build?.since ?? null, cursor,
      selected: selectedItem(session, view.selection), ticks: axisTicks(painter, scale),
    };
    drawTimeline(painter, frame);
    minimap.draw(present, colors);
    canvas.style.touchAction = places.content > height - places.top ? "none" : "pan-y";
    followButton.setAttribute("aria-pressed", String(view.follow));
    if (animation) {
      schedule();
    } else if (open && present >= view.from && present <= view.to) {
      // The next frame is due when the present has moved by a pixel.
      timer = setTimeout(schedule, Math.max(16, Math.min(1000, 1 / scale.perMs)));
    }
  }

  function moveWindow(present) {
    if (animation) {
      const part = Math.min(1, (performance.now() - animation.start) / ANIMATION_MS);
      const eased = 1 - (1 - part) ** 3;
      const between = (a, b) => a + (b - a) * eased;
      // The window changes without a further frame: this one draws it.
      view.from = between(animation.from.from, animation.to.from);
      view.to = between(animation.from.to, animation.to.to);
      if (part === 1) {
        animation = null;
        view.changed();
      }
    } else if (!source.live && !(view.to > view.from)) {
      // Nothing more will happen in a recording: it opens with an overview.
      Object.assign(view, overviewWindow(session, present), { follow: false });
      view.changed();
    } else if (view.follow) {
      const { from, to } = followedWindow(session, present, view);
      if (from !== view.from || to !== view.to) {
        view.from = from;
        view.to = to;
        view.changed();
      }
    }
  }

  const stopAnimation = () => {
    animation = null;
  };
  const animateTo = ({ from, to }) => {
    view.follow = false;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden) {
      setWindow(from, to);
    } else {
      animation = { start: performance.now(), from: { from: view.from, to: view.to }, to: { from, to } };
      schedule();
    }
  };

  /// Moves the window so that a span is in it, and zooms if it is too narrow to be seen.
  const reveal = (t, end = t) => {
    if (!(view.to > view.from)) {
      // Nothing has been drawn yet.
      Object.assign(view, followedWindow(session, now(), view));
    }
    const width = view.to - view.from;
    const perMs = frame?.scale.perMs ?? 1;
    const margin = Math.min(width * 0.1, 40 / perMs);
    const span = end - t;
    if (span > 0 && span * perMs < 4) {
      animateTo({ from: t - span * 1.5, to: end + span * 2.5 });
    } else if (t < view.from + margin || end > view.to - margin) {
      const middle = span > width * 0.7 ? t + width * 0.35 : (t + end) / 2;
      animateTo({ from: middle - width / 2, to: middle + width / 2 });
    } else {
      view.setWindow(view.from, view.to);
    }
  };

  /// What was selected here, or is selected since the page was opened. A selection in a panel is revealed.
  let known = JSON.stringify(view.selection);
  const select = (selection) => {
    known = JSON.stringify(selection);
    view.select(selection);
  };
  const revealSelection = () => {
    if (JSON.stringify(view.selection) !== known) {
      known = JSON.stringify(view.selection);
      const item = selectedItem(session, view.selection)?.item;
      if (item) {
        reveal(item.t, item.end === undefined ? item.t : item.end ?? now());
      }
    }
  };

  const selectedOf = (kind) => (view.selection?.kind === kind ? selectedItem(session, view.selection)?.item ?? null : null);
  /// Selects the element before or after the current one. Without one, it starts at the window, or at the end if the window follows
  /// the run.
  const stepIn = (list, by, current, selectionFor) => {
    const isIn = current !== null && list.includes(current);
    const start = current !== null ? lowerBound(list, current.t, byStart) : view.follow ? list.length - 1 : lowerBound(list, view.from, byStart);
    const next = isIn ? list.indexOf(current) + by : by > 0 ? start : current === null && view.follow ? start : start - 1;
    const item = list[Math.max(0, Math.min(list.length - 1, next))];
    if (item) {
      select(selectionFor(item));
      reveal(item.t, item.end === undefined ? item.t : item.end ?? now());
    }
  };

  const timeline = {
    frame: () => frame,
    zoom(factor, x) {
      stopAnimation();
      const scale = frame?.scale;
      if (scale) {
        const chosen = selectedItem(session, view.selection)?.item.t;
        const t = x !== undefined ? scale.t(Math.max(x, scale.left)) : chosen >= view.from && chosen <= view.to ? chosen : (view.from + view.to) / 2;
        const whole = wholeWindow(session, now());
        const limited = Math.max(MIN_WINDOW_MS, Math.min((view.to - view.from) * factor, (whole.to - whole.from) * MAX_WINDOW_FACTOR)) / (view.to - view.from);
        view.setWindow(t - (t - view.from) * limited, t + (view.to - t) * limited);
      }
    },
    pan(px) {
      if (frame && px !== 0) {
        stopAnimation();
        const by = px / frame.scale.perMs;
        setWindow(view.from + by, view.to + by);
      }
    },
    panPart(part) {
      timeline.pan(part * (frame?.scale.width ?? 0));
    },
    scrollBy(px) {
      scroll += px;
      schedule();
    },
    fitAll() {
      animateTo(wholeWindow(session, now()));
    },
    follow() {
      if (!source.live) {
        return;
      }
      stopAnimation();
      // The window is chosen anew, whatever it shows at the moment.
      const { from, to } = followedWindow(session, now(), { from: 0, to: 0 });
      view.setWindow(from, to, true);
    },
    zoomToSelection() {
      const selected = selectedItem(session, view.selection);
      const item = selected?.item ?? session.invocations[session.invocations.length - 1];
      if (item) {
        timeline.zoomTo(selected?.kind ?? "invocation", item);
      }
    },
    zoomTo(kind, item) {
      if (kind === "mark") {
        animateTo({ from: item.t - 20, to: item.t + 20 });
      } else {
        animateTo(invocationWindow(item, now()));
      }
    },
    step(by) {
      stepIn(session.invocations, by, selectedOf("invocation"), ({ n }) => ({ kind: "invocation", n }));
    },
    stepFailed(by) {
      stepIn(session.failures, by, selectedOf("invocation"), ({ n }) => ({ kind: "invocation", n }));
    },
    /// Selects the next loss of telemetry, and after the last one the first.
    stepLost() {
      const lost = session.marks.filter(({ kind }) => kind === "lost");
      const next = lost[(lost.indexOf(selectedOf("mark")) + 1) % lost.length];
      if (next) {
        select({ kind: "mark", id: next.id });
        reveal(next.t);
      }
    },
    stepMark(by) {
      stepIn(session.marks, by, selectedOf("mark"), ({ id }) => ({ kind: "mark", id }));
    },
    click(picked) {
      select(selectionOf(picked));
      if (picked && selectionOf(picked)) {
        // What was clicked stays where it is.
        view.follow = false;
        view.showTab("detail");
      }
    },
    open(picked) {
      if (picked?.item.t !== undefined) {
        const item = picked.kind === "span" ? { t: picked.item.t, end: picked.item.t + picked.item.d } : picked.item;
        select(selectionOf(picked));
        timeline.zoomTo(picked.kind, item);
      }
    },
    openDetails() {
      if (view.selection) {
        view.showTab("detail");
        afterFrame(() => byId("detail").focus());
      }
    },
    deselect() {
      select(null);
      // In a narrow window, this closes the details.
      if (view.tab === "detail" && innerWidth < 900) {
        view.showTab("invocations");
      }
    },
    hover(picked, x, y) {
      hovered = picked;
      cursor = x ?? null;
      tooltip.hidden = !picked;
      if (picked) {
        const { title, lines } = describe(session, picked, now());
        tooltip.replaceChildren(el("strong", {}, visibleText(title)), ...lines.map(([text, row]) => el("div", {},
          row ? el("span", { class: `swatch ${rowClass(session, row)}` }) : null, visibleText(text))));
        const bounds = canvas.getBoundingClientRect();
        tooltip.style.left = `${Math.max(8, Math.min(bounds.left + x + 14, innerWidth - tooltip.offsetWidth - 8))}px`;
        const below = bounds.top + y + 18;
        tooltip.style.top = `${below + tooltip.offsetHeight > innerHeight - 8 ? bounds.top + y - tooltip.offsetHeight - 10 : below}px`;
      }
      canvas.style.cursor = picked && selectionOf(picked) ? "pointer" : "";
      schedule();
    },
  };

  const describeSelection = () => {
    const selected = selectedItem(session, view.selection);
    let text = "";
    if (selected) {
      // The time of what is in flight would be read out all the time.
      const { title, lines } = describe(session, selected, null);
      text = visibleText([title, ...lines.map(([line]) => line)].join(" · "));
    } else if (session.invocations.length === 0 && session.instances.length === 0) {
      text = source.live ? "Waiting for the first boot…" : "This run has no boots and no invocations.";
    }
    setText(line, text);
    line.title = text;
  };

  handlePointers(canvas, timeline);
  canvas.addEventListener("keydown", (event) => {
    if (handleKey(timeline, event, true)) {
      event.preventDefault();
      event.stopPropagation();
    }
  });
  app.timeline = timeline;

  const resize = () => {
    byId("main").style.setProperty("--timeline-content", `${preferredHeight(session, innerWidth < NARROW)}px`);
    schedule();
  };
  /// Notes the start of a build, whose entry arrives at its end. Times are only known once the session is.
  const noteBuild = () => {
    if (!source.state?.building) {
      build = null;
    } else if (session.info && build?.session !== session.id) {
      build = { session: session.id, since: session.now(true) };
    }
  };
  let rows = "";
  session.onChange(() => {
    noteBuild();
    const shape = session.rows.map((row) => session.lanesOf(row).lanes.length).join();
    if (shape !== rows) {
      rows = shape;
      resize();
    }
    describeSelection();
    schedule();
  });
  let shownSession = session.id;
  view.onChange(() => {
    if (session.id === shownSession) {
      revealSelection();
    } else {
      // The view of this run was restored.
      shownSession = session.id;
      known = JSON.stringify(view.selection);
    }
    describeSelection();
    schedule();
  });
  source.onState(() => {
    noteBuild();
    schedule();
  });
  observeOnce(area, resize, () => {
    colors = null;
    schedule();
  });
  resize();
  describeSelection();
  return el("div", { class: "timeline" }, toolbar, area, minimap.element, tooltip,
    el("p", { id: "timeline-hint", class: "visually-hidden" }, "Arrow keys pan and select invocations, plus and minus zoom, question mark shows all keys."));
}

/// Calls `resized` when the size of an element changes, and `recolored` when the theme does, as long as the element is part of the page.
function observeOnce(element, resized, recolored) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stop = new AbortController();
  const whileShown = (action) => () => {
    if (element.isConnected) {
      action();
    } else {
      observer.disconnect();
      stop.abort();
    }
  };
  const observer = new ResizeObserver(whileShown(resized));
  observer.observe(element);
  dark.addEventListener("change", whileShown(recolored), { signal: stop.signal });
  document.addEventListener("themechange", whileShown(recolored), { signal: stop.signal });
}
