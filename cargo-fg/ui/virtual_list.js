// A list that creates elements only for the rows that are visible, so that 100,000 rows scroll smoothly.

/// How many pixels above and below the visible part are filled too.
const OVERSCAN = 300;

/// A list of rows, of which one is active. `options` are:
/// - `label`: its name for screen readers
/// - `role`: `listbox`, or `grid` if rows consist of cells with controls of their own
/// - `rowHeight`: the height of a row, or, with `measured`, the estimate for rows that have not been visible yet
/// - `measured`: whether rows differ in height
/// - `count()`: the number of rows
/// - `key(index)`: a string that identifies the row and what it shows; a row whose key changes is created again
/// - `create(index)`: creates the element of a row
/// - `refresh(row, index)`: updates what depends on other rows; a row that were created again could not be clicked meanwhile
/// - `onActive(index)`: a row was chosen, with the pointer or the keyboard
/// - `onOpen(index, byKey)`: a row was clicked, or Enter was pressed on the active row
/// - `onScroll()`: the list was scrolled
class VirtualList {
  constructor(options) {
    this.options = options;
    const isGrid = options.role === "grid";
    this.names = isGrid ? { row: "row", position: "aria-rowindex" } : { row: "option", position: "aria-posinset", size: "aria-setsize" };
    this.spacer = el("div", { class: "vlist-rows", role: isGrid ? "rowgroup" : "none" });
    this.element = el("div", {
      class: "vlist", role: options.role, tabindex: "0", "aria-label": options.label,
      onscroll: () => this.scrolled(), onkeydown: (event) => this.pressed(event), onclick: (event) => this.clicked(event),
      onpointerdown: () => this.hold(),
    }, this.spacer);
    this.rows = new Map();
    this.active = -1;
    /// The edge that the list stays at while rows are added: `null`, `"top"` or `"bottom"`.
    this.stick = null;
    /// Whether a pointer is down: then rows stay in place, so that they can be clicked while others are added.
    this.held = false;
    this.total = 0;
    this.tops = null;
    this.prefix = `row${VirtualList.lists++}`;
    this.frame = 0;
    this.width = 0;
    new ResizeObserver(() => this.resized()).observe(this.element);
  }

  /// The edge that the list stays at now.
  get edge() {
    return this.held ? null : this.stick;
  }

  hold() {
    this.held = true;
    const release = () => {
      this.held = false;
      removeEventListener("pointerup", release, true);
      removeEventListener("pointercancel", release, true);
    };
    addEventListener("pointerup", release, true);
    addEventListener("pointercancel", release, true);
  }

  resized() {
    if (this.element.clientWidth !== this.width && this.options.measured) {
      this.width = this.element.clientWidth;
      this.heights = null;
    }
    this.update();
  }

  /// Shows the rows as they are now. `reset` is whether other rows may be at the same indexes.
  update(reset = false) {
    if (reset) {
      this.heights = null;
    }
    this.total = this.options.count();
    if (this.options.measured) {
      this.grow();
    }
    this.spacer.style.height = `${this.topOf(this.total)}px`;
    if (this.edge === "bottom") {
      this.element.scrollTop = this.element.scrollHeight;
    } else if (this.edge === "top") {
      this.element.scrollTop = 0;
    }
    this.render();
  }

  /// Scrolls so that the rows that are visible stay in place after `rows` were added before them.
  shift(rows) {
    this.update();
    this.element.scrollTop += rows * this.options.rowHeight;
    this.render();
  }

  scrolled() {
    this.options.onScroll?.();
    if (this.frame === 0) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.render();
      });
    }
  }

  atTop() {
    return this.element.scrollTop < 4;
  }

  atBottom() {
    const { scrollTop, clientHeight, scrollHeight } = this.element;
    return scrollTop + clientHeight > scrollHeight - 4;
  }

  /// Extends the heights, which are sums over a binary indexed tree, to the number of rows.
  grow() {
    const estimate = this.options.rowHeight;
    if (!this.heights || this.heights.length < this.total) {
      const old = this.heights;
      const capacity = Math.max(256, this.total * 2);
      this.heights = new Float64Array(capacity).fill(estimate);
      if (old) {
        this.heights.set(old);
      }
      this.tree = new Float64Array(capacity + 1);
      for (let index = 1; index <= capacity; index += 1) {
        this.tree[index] += this.heights[index - 1];
        const parent = index + (index & -index);
        if (parent <= capacity) {
          this.tree[parent] += this.tree[index];
        }
      }
    }
  }

  setHeight(index, height) {
    const difference = height - this.heights[index];
    if (Math.abs(difference) < 0.5) {
      return 0;
    }
    this.heights[index] = height;
    for (let at = index + 1; at < this.tree.length; at += at & -at) {
      this.tree[at] += difference;
    }
    return difference;
  }

  topOf(index) {
    if (!this.options.measured) {
      return index * this.options.rowHeight;
    }
    let sum = 0;
    for (let at = index; at > 0; at -= at & -at) {
      sum += this.tree[at];
    }
    return sum;
  }

  /// Returns the row at a position.
  indexAt(top) {
    if (!this.options.measured) {
      return Math.max(0, Math.floor(top / this.options.rowHeight));
    }
    let index = 0;
    let rest = top;
    for (let step = 2 ** Math.floor(Math.log2(this.tree.length)); step >= 1; step /= 2) {
      if (index + step < this.tree.length && this.tree[index + step] <= rest) {
        index += step;
        rest -= this.tree[index];
      }
    }
    return index;
  }

  render() {
    const { scrollTop, clientHeight } = this.element;
    if (clientHeight === 0) {
      return;
    }
    const first = Math.min(this.indexAt(scrollTop - OVERSCAN < 0 ? 0 : scrollTop - OVERSCAN), Math.max(0, this.total - 1));
    const last = Math.min(this.total, this.indexAt(scrollTop + clientHeight + OVERSCAN) + 1);
    const wanted = new Map();
    for (let index = first; index < last; index += 1) {
      wanted.set(this.options.key(index), index);
    }
    for (const [key, row] of this.rows) {
      if (!wanted.has(key)) {
        row.remove();
        this.rows.delete(key);
      }
    }
    if (!this.names.size) {
      this.element.setAttribute("aria-rowcount", this.total);
    }
    let previous = null;
    for (const [key, index] of wanted) {
      let row = this.rows.get(key);
      if (!row) {
        row = this.options.create(index);
        row.classList.add("vlist-row");
        row.setAttribute("role", this.names.row);
        this.rows.set(key, row);
      }
      // The order of the elements matters when text is selected with the pointer.
      if (row.parentNode !== this.spacer || row.previousSibling !== previous) {
        previous ? previous.after(row) : this.spacer.prepend(row);
      }
      previous = row;
      this.options.refresh?.(row, index);
      row.id = `${this.prefix}-${index}`;
      row.index = index;
      row.setAttribute(this.names.position, index + 1);
      if (this.names.size) {
        row.setAttribute(this.names.size, this.total);
      }
      row.setAttribute("aria-selected", index === this.active);
      row.classList.toggle("active", index === this.active);
    }
    if (this.options.measured) {
      this.measure(wanted);
    }
    for (const [key, index] of wanted) {
      this.rows.get(key).style.transform = `translateY(${this.topOf(index)}px)`;
    }
    if (this.active >= first && this.active < last) {
      this.element.setAttribute("aria-activedescendant", `${this.prefix}-${this.active}`);
    } else {
      this.element.removeAttribute("aria-activedescendant");
    }
  }

  /// Reads the heights of the visible rows. If rows above the visible part change, the list scrolls by as much.
  measure(wanted) {
    const { scrollTop } = this.element;
    const firstVisible = this.indexAt(scrollTop);
    let above = 0;
    let changed = false;
    const heights = [...wanted].map(([key, index]) => [index, this.rows.get(key).offsetHeight]);
    for (const [index, height] of heights) {
      const difference = this.setHeight(index, height);
      changed ||= difference !== 0;
      if (index < firstVisible) {
        above += difference;
      }
    }
    if (changed) {
      this.spacer.style.height = `${this.topOf(this.total)}px`;
      if (this.edge === "bottom") {
        this.element.scrollTop = this.element.scrollHeight;
      } else if (above !== 0) {
        this.element.scrollTop = scrollTop + above;
      }
    }
  }

  /// Scrolls until a row is visible: to the middle if it is far away.
  reveal(index) {
    const top = this.topOf(index);
    const bottom = this.topOf(index + 1);
    const { scrollTop, clientHeight } = this.element;
    const far = 2 * (bottom - top);
    if (top < scrollTop - far || bottom > scrollTop + clientHeight + far) {
      this.element.scrollTop = (top + bottom - clientHeight) / 2;
    } else if (top < scrollTop) {
      this.element.scrollTop = top;
    } else if (bottom > scrollTop + clientHeight) {
      this.element.scrollTop = bottom - clientHeight;
    }
    this.render();
  }

  setActive(index, reveal = true) {
    this.active = index;
    if (reveal && index >= 0) {
      this.reveal(index);
    } else {
      this.render();
    }
  }

  choose(index) {
    // What was chosen stays in place while rows are added. The list follows again when it is scrolled to its edge.
    this.stick = null;
    this.setActive(index);
    this.options.onActive?.(index);
  }

  clicked(event) {
    const row = event.target.closest(".vlist-row");
    // A click that ends the selection of text, or that is meant for a control in the row, does not choose the row.
    if (!row || event.target.closest("button, a, input, summary") || !getSelection().isCollapsed) {
      return;
    }
    this.choose(row.index);
    this.options.onOpen?.(row.index);
  }

  pressed(event) {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey || this.total === 0) {
      return;
    }
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.options.rowHeight) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (Object.hasOwn(moves, event.key)) {
      const from = this.active < 0 ? (event.key === "ArrowDown" ? -1 : 0) : this.active;
      this.choose(Math.max(0, Math.min(this.total - 1, from + moves[event.key])));
    } else if (event.key === "Enter" && this.active >= 0) {
      this.options.onOpen?.(this.active, true);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

VirtualList.lists = 0;
