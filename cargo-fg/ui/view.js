// What the user looks at: the time window, the selection, the open tab.

const VIEW_KEY = "cargo-fg-view";

class View {
  constructor() {
    this.listeners = new Set();
    this.scheduled = false;
    this.saving = null;
    this.session = null;
    this.tab = "invocations";
    this.reset();
    addEventListener("pagehide", () => this.save());
  }

  reset() {
    /// The time window, which the timeline sets as soon as there is something to show.
    this.from = 0;
    this.to = 0;
    /// Whether the window moves to what happens last.
    this.follow = true;
    this.selection = null;
  }

  /// Shows a run: as it was when it was left, or before the page was reloaded, if it is the same run.
  attach(session, left) {
    this.session = session;
    this.reset();
    const saved = left ?? readStored("sessionStorage", VIEW_KEY);
    /// Whether the user has seen this run before.
    this.restored = session !== null && saved?.session === session;
    if (this.restored) {
      this.from = number(saved.from);
      this.to = number(saved.to);
      this.follow = saved.follow !== false || !(this.to > this.from);
      this.selection = saved.selection ?? null;
      this.tab = text(saved.tab);
    }
    this.changed();
  }

  window() {
    const { session, from, to, follow, selection, tab } = this;
    return { session, from, to, follow, selection, tab };
  }

  /// Sets the time window. `follow` is whether it keeps moving.
  setWindow(from, to, follow = false) {
    this.from = from;
    this.to = to;
    this.follow = follow;
    this.changed();
  }

  select(selection) {
    this.selection = selection;
    this.changed();
  }

  showTab(name) {
    this.tab = name;
    this.changed();
  }

  /// Calls `listener` after changes, at most once per frame.
  onChange(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed() {
    this.saving ??= setTimeout(() => this.save(), 300);
    if (!this.scheduled) {
      this.scheduled = true;
      requestAnimationFrame(() => {
        this.scheduled = false;
        for (const listener of [...this.listeners]) {
          listener();
        }
      });
    }
  }

  save() {
    clearTimeout(this.saving);
    this.saving = null;
    // As long as no entry has arrived, what was saved before the page was reloaded is still needed.
    if (this.session !== null) {
      store("sessionStorage", VIEW_KEY, this.window());
    }
  }
}

/// Reads what was stored under a key, or returns `null`. Storage can be disabled, and its contents can be anything.
function readStored(storage, key) {
  return attempt(() => JSON.parse(window[storage].getItem(key)));
}

function store(storage, key, value) {
  attempt(() => window[storage].setItem(key, JSON.stringify(value)));
}

/// Runs an action after the panels have shown what has changed, which they do in the next frame.
function afterFrame(action) {
  requestAnimationFrame(() => requestAnimationFrame(action));
}
