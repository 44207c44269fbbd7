// Renders what an extension printed: colors become elements of the page's palette, other control characters become visible.

const SGR = /\u001b\[([0-9;:]*)m/g;

/// Returns nodes for a line with ANSI colors. The text is never interpreted as markup.
function logText(line) {
  if (!line.includes("\u001b")) {
    return markInvisible(line);
  }
  const nodes = [];
  const style = {};
  let from = 0;
  for (const match of line.matchAll(SGR)) {
    addStyled(nodes, line.slice(from, match.index), style);
    applySgr(style, match[1]);
    from = match.index + match[0].length;
  }
  addStyled(nodes, line.slice(from), style);
  return nodes;
}

function addStyled(nodes, text, style) {
  if (text === "") {
    return;
  }
  const classes = Object.values(style).filter(Boolean).join(" ");
  const content = markInvisible(text);
  nodes.push(classes === "" ? content : el("span", { class: classes }, content));
}

/// Changes the style as the parameters of an SGR sequence say. Colors outside of the palette of 16 are ignored.
function applySgr(style, parameters) {
  // `4:3` is a wavy underline, and `4:0` is none. The other parameters with colons are colors outside of the palette.
  const codes = parameters.replace(/(^|;)4:(\d+)/g, (_, before, kind) => `${before}${Number(kind) === 0 ? 24 : 4}`)
    .split(";").filter((code) => !code.includes(":")).map(Number);
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index];
    if (code === 0) {
      Object.keys(style).forEach((key) => delete style[key]);
    } else if (code === 1) {
      style.weight = "ansi-bold";
    } else if (code === 2) {
      style.weight = "ansi-dim";
    } else if (code === 3) {
      style.slant = "ansi-italic";
    } else if (code === 4) {
      style.line = "ansi-underline";
    } else if (code === 22) {
      style.weight = null;
    } else if (code === 23) {
      style.slant = null;
    } else if (code === 24) {
      style.line = null;
    } else if (code >= 30 && code <= 37) {
      style.color = `ansi-${code - 30}`;
    } else if (code >= 90 && code <= 97) {
      style.color = `ansi-${code - 90}`;
    } else if (code === 39) {
      style.color = null;
    } else if (code >= 40 && code <= 47) {
      style.background = `ansi-bg-${code - 40}`;
    } else if (code >= 100 && code <= 107) {
      style.background = `ansi-bg-${code - 100}`;
    } else if (code === 49) {
      style.background = null;
    } else if (code === 38 || code === 48) {
      const color = codes[index + 2];
      if (codes[index + 1] === 5 && color < 16) {
        style[code === 38 ? "color" : "background"] = `ansi-${code === 38 ? "" : "bg-"}${color % 8}`;
      }
      index += codes[index + 1] === 5 ? 2 : codes[index + 1] === 2 ? 4 : 0;
    }
  }
}

/// Returns nodes in which each invisible character is an escape that looks different from the text.
function markInvisible(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INVISIBLE)) {
    nodes.push(text.slice(from, match.index), el("span", { class: "escape" }, escapeCharacter(match[0])));
    from = match.index + match[0].length;
  }
  nodes.push(text.slice(from));
  return nodes;
}

/// Returns the text without colors, as it is searched and copied.
function plainLogText(line) {
  return line.includes("\u001b") ? line.replace(SGR, "") : line;
}
