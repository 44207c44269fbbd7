// Shapes, texts and colors on a canvas.

const COLORS = [
  "surface", "raised", "line", "line-strong", "text", "muted", "accent", "row-function", "row-1", "row-2", "row-3", "row-4",
  "row-5", "row-6", "row-telemetry", "row-other", "on-row", "warning", "error", "fault", "frozen", "frozen-soft",
];
const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif";

/// Reads the colors of the theme, which are only known as custom properties.
function readColors(parent) {
  const probe = el("span", { class: "color-probe", hidden: true });
  parent.append(probe);
  const colors = {};
  for (const name of COLORS) {
    probe.style.color = `var(--${name})`;
    colors[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return colors;
}

/// How a mark looks, and which one is drawn for several at the same place: the one with the highest rank.
const MARK_STYLES = {
  changed: { shape: "dot", color: "muted", rank: 0 },
  build: { shape: "dot", color: "muted", rank: 1 },
  subscribed: { shape: "dot", color: "row-telemetry", rank: 2 },
  warning: { shape: "triangle", color: "warning", rank: 3 },
  fault: { shape: "diamond", color: "fault", rank: 4 },
  rejected: { shape: "square", color: "error", rank: 5 },
  lost: { shape: "triangle", color: "error", rank: 6 },
  exited: { shape: "cross", color: "error", rank: 7 },
  failed: { shape: "cross", color: "error", rank: 8 },
  end: { shape: "cross", color: "error", rank: 9 },
};

class Painter {
  constructor(canvas) {
    this.context = canvas.getContext("2d");
    this.patterns = new Map();
    this.texts = new Map();
  }

  setColors(colors) {
    if (colors !== this.colors) {
      this.colors = colors;
      this.patterns.clear();
    }
  }

  /// Diagonal lines in a color.
  hatching(color) {
    let pattern = this.patterns.get(color);
    if (!pattern) {
      const tile = el("canvas", { width: 8, height: 8 });
      const context = tile.getContext("2d");
      context.strokeStyle = color;
      context.lineWidth = 1.6;
      for (const x of [-8, 0, 8]) {
        context.moveTo(x - 1, 9);
        context.lineTo(x + 9, -1);
      }
      context.stroke();
      pattern = this.context.createPattern(tile, "repeat");
      this.patterns.set(color, pattern);
    }
    return pattern;
  }

  rect(x, y, width, height, fill, alpha = 1) {
    this.context.globalAlpha = alpha;
    this.context.fillStyle = fill;
    this.context.fillRect(x, y, width, height);
    this.context.globalAlpha = 1;
  }

  outline(x, y, width, height, color, dash = []) {
    const { context } = this;
    context.strokeStyle = color;
    context.setLineDash(dash);
    context.lineWidth = 1;
    context.strokeRect(x + 0.5, y + 0.5, Math.max(width - 1, 1), height - 1);
    context.setLineDash([]);
  }

  width(text) {
    let width = this.texts.get(text);
    if (width === undefined) {
      width = this.context.measureText(text).width;
      if (this.texts.size > 5000) {
        this.texts.clear();
      }
      this.texts.set(text, width);
    }
    return width;
  }

  text(text, x, y, color, align = "left") {
    this.context.fillStyle = color;
    this.context.textAlign = align;
    this.context.fillText(text, x, y);
  }

  labelWidth(labels) {
    this.context.font = FONT;
    return Math.max(...labels.map((label) => this.width(label)));
  }

  /// Writes the first text that fits into a width, if one does.
  fit(texts, x, y, width, color) {
    const text = texts.find((text) => this.width(text) <= width);
    if (text) {
      this.text(text, x, y, color);
    }
  }

  /// A text that is shortened to a width.
  shorten(text, width) {
    if (this.width(text) <= width) {
      return text;
    }
    let length = Math.min(text.length, 100);
    while (length > 1 && this.width(`${text.slice(0, length)}…`) > width) {
      length -= 1;
    }
    return `${text.slice(0, length)}…`;
  }
}

function drawShape(painter, shape, x, y, color, outline) {
  const { context } = painter;
  context.beginPath();
  if (shape === "dot") {
    context.arc(x, y, 4, 0, 7);
  } else if (shape === "square") {
    context.rect(x - 4.5, y - 4.5, 9, 9);
  } else {
    const points = {
      diamond: [[0, -6], [6, 0], [0, 6], [-6, 0]],
      triangle: [[0, -6], [6, 5], [-6, 5]],
      cross: [[-5, -3], [-3, -5], [0, -2], [3, -5], [5, -3], [2, 0], [5, 3], [3, 5], [0, 2], [-3, 5], [-5, 3], [-2, 0]],
    }[shape];
    points.forEach(([dx, dy], index) => (index === 0 ? context.moveTo(x + dx, y + dy) : context.lineTo(x + dx, y + dy)));
    context.closePath();
  }
  context.lineWidth = 3;
  context.strokeStyle = outline;
  context.stroke();
  context.fillStyle = color;
  context.fill();
}
