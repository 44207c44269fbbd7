// Shows texts of any size from payloads, responses and events: formatted if they are JSON, without freezing the page.

/// How much of a text is shown at first.
const SHOWN_CHARS = 64 * 1024;
/// Text is laid out in blocks of this size, which are skipped while they are not visible.
const BLOCK_CHARS = 8 * 1024;
/// A larger text is formatted only when asked for.
const FORMATTED_CHARS = 256 * 1024;

/// Characters that are invisible, or that change how the text around them is shown. The joiners of scripts and emoji belong to the
/// characters around them, which are never ASCII.
const INVISIBLE = new RegExp([
  "[\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff\\ufff9-\\ufffb]",
  "(?<![^\\0-\\x7f])[\\u200c\\u200d]", "[\\u200c\\u200d](?![^\\0-\\x7f])",
].join("|"), "g");

/// Returns an escape for a character, as in JavaScript: `\x1b`, `\u202e`.
function escapeCharacter(character) {
  const code = character.charCodeAt(0);
  const named = { 0: "\\0", 8: "\\b", 12: "\\f", 13: "\\r" };
  return named[code] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`);
}

/// Returns the text with escapes for characters that would be invisible.
function visibleText(text) {
  return text.replace(INVISIBLE, escapeCharacter);
}

/// Visits the tokens of a valid JSON text: their starts and ends. Strings are searched for their ends, since a regular expression that matches all of a
/// string fails with one of some megabytes.
function* jsonTokens(text) {
  const start = /[^\s]/g;
  const end = { string: /["\\]/g, other: /[\s[\]{},:"]|$/g };
  const find = (regex, from) => {
    regex.lastIndex = from;
    return regex.exec(text)?.index ?? text.length;
  };
  for (let from = find(start, 0); from < text.length;) {
    let to = from + 1;
    if (text[from] === '"') {
      for (to = find(end.string, to); text[to] === "\\"; to = find(end.string, to + 2));
      to += 1;
    } else if (!"[]{},:".includes(text[from])) {
      to = find(end.other, to);
    }
    yield [from, to];
    from = find(start, to);
  }
}

/// Returns a JSON object or array with line breaks, or `null` if the text is not one. Numbers and strings remain as they are
/// written, which they would not if they were parsed.
function formatJson(text) {
  if (!/^\s*[[{]/.test(text) || attempt(() => JSON.parse(text)) === null) {
    return null;
  }
  const parts = [];
  let depth = 0;
  const newline = () => parts.push("\n", "  ".repeat(Math.min(depth, 100)));
  let opened = false;
  for (const [from, to] of jsonTokens(text)) {
    const token = text.slice(from, to);
    const closes = token === "}" || token === "]";
    if (closes) {
      depth -= 1;
    }
    if (opened !== closes) {
      // Neither the inside of `{}` nor the end of a line.
      if (opened || closes) {
        newline();
      }
    }
    opened = token === "{" || token === "[";
    if (opened) {
      depth += 1;
    }
    parts.push(token);
    if (token === ",") {
      newline();
    } else if (token === ":") {
      parts.push(" ");
    }
  }
  return parts.join("");
}

/// Returns the elements of a JSON array, each as it is written, or `null` if the text is not an array.
function splitJsonArray(text) {
  if (!Array.isArray(attempt(() => JSON.parse(text)))) {
    return null;
  }
  const elements = [];
  let depth = 0;
  let from = text.indexOf("[") + 1;
  for (const [at, to] of jsonTokens(text)) {
    const token = text.slice(at, to);
    if ((token === "," && depth === 1) || (token === "]" && depth === 1)) {
      const element = text.slice(from, at).trim();
      if (element !== "") {
        elements.push(element);
      }
      from = to;
    }
    depth += token === "[" || token === "{" ? 1 : token === "]" || token === "}" ? -1 : 0;
  }
  return elements;
}

/// A button that copies a text, and says that it has.
function copyButton(getText, label = "Copy", name = null) {
  const button = el("button", { type: "button", class: "quiet small", "aria-label": name, onclick: async () => {
    const copied = await copyText(getText());
    button.textContent = copied ? "Copied" : "Not allowed";
    setTimeout(() => {
      button.textContent = label;
    }, 1500);
  } }, label);
  return button;
}

/// Copies a text. The clipboard of the browser is not available to a page that was opened from a file in some browsers.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const area = el("textarea", { class: "visually-hidden", value: text });
    document.body.append(area);
    area.select();
    const copied = attempt(() => document.execCommand("copy")) === true;
    area.remove();
    focused?.focus();
    return copied;
  }
}

/// Saves a text as a file.
function downloadText(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const link = el("a", { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/// Appends a text in blocks, at whose boundaries no line is broken if possible.
function appendBlocks(parent, text) {
  let from = 0;
  while (from < text.length) {
    let to = Math.min(text.length, from + BLOCK_CHARS);
    const newline = text.lastIndexOf("\n", to - 1);
    if (to < text.length && newline > from) {
      to = newline + 1;
    }
    const block = text.slice(from, to);
    parent.append(el("div", { class: "body-block" }, visibleText(block.endsWith("\n") ? block.slice(0, -1) : block) || "\n"));
    from = to;
  }
}

/// Shows a body: a text, or `{"base64": …}` if it is not UTF-8.
function bodyOrBinary(body, name) {
  if (typeof body?.base64 === "string") {
    return [el("p", { class: "muted" }, "This is not UTF-8; it is shown as base64."), bodyView(body.base64, name)];
  }
  return [bodyView(text(body), name)];
}

/// Shows a text, with buttons. `name` is the file name for a download.
function bodyView(text, name) {
  if (text === "") {
    return el("p", { class: "muted body-empty" }, "empty");
  }
  let formatted = text.length <= FORMATTED_CHARS ? formatJson(text) : null;
  let raw = false;
  let all = false;
  const pre = el("pre", { class: "body", tabindex: "0" });
  const more = el("div", { class: "body-more" });
  const isJson = formatted !== null || (text.length > FORMATTED_CHARS && /^\s*[[{]/.test(text));
  const toggle = el("button", { type: "button", class: "quiet small", hidden: !isJson, onclick: () => {
    raw = formatted === null ? false : !raw;
    formatted ??= formatJson(text);
    show();
  } });

  function show() {
    toggle.textContent = formatted === null || raw ? "Formatted" : "Raw";
    const content = raw || formatted === null ? text : formatted;
    const shown = all ? content : content.slice(0, SHOWN_CHARS);
    pre.replaceChildren();
    appendBlocks(pre, shown);
    more.hidden = shown.length === content.length;
    more.replaceChildren(
      el("span", { class: "muted" }, `The first ${numberFormat.format(shown.length)} of ${formatCount(content.length, "character")} are shown.`),
      el("button", { type: "button", class: "small", onclick: () => {
        all = true;
        show();
      } }, "Show all"));
  }

  show();
  return el("div", { class: "body-view" },
    el("div", { class: "body-tools" },
      el("span", { class: "muted" }, formatBytes(new Blob([text]).size)), toggle,
      copyButton(() => (raw || formatted === null ? text : formatted)),
      el("button", { type: "button", class: "quiet small", onclick: () => downloadText(name, text) }, "Download")),
    pre, more);
}
