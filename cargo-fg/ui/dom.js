// Creates elements, and formats values.

/// Creates an element. Children are nodes and strings; a string is always text, never markup. Attributes whose names start
/// with `on` are event handlers; those that are `false`, `null` or `undefined` are omitted.
function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) {
      continue;
    }
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), value);
    } else if (name === "value" || name === "checked") {
      element[name] = value;
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/// Changes a text. One that stays the same must neither be laid out nor read out again.
function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/// Formats a duration with about three digits: "8 µs", "0.42 ms", "12.3 ms", "1.23 s", "2 min 5 s".
function formatMs(ms) {
  if (typeof ms !== "number" || !Number.isFinite(ms)) {
    return "–";
  }
  if (ms < 0) {
    return `−${formatMs(-ms)}`;
  }
  if (ms > 0 && ms < 0.01) {
    return `${threeDigits(ms * 1000)} µs`;
  }
  if (ms < 999.5) {
    return `${threeDigits(ms)} ms`;
  }
  if (ms < 59_950) {
    return `${threeDigits(ms / 1000)} s`;
  }
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function threeDigits(value) {
  if (value === 0) {
    return "0";
  }
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

/// Formats a time of the run as the local time of day: "12:07:40.123".
function formatClock(session, t) {
  if (!session.info) {
    return `+${formatMs(t)}`;
  }
  const date = new Date(session.info.epoch_ms + t);
  const two = (number) => String(number).padStart(2, "0");
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

function formatBytes(bytes) {
  if (bytes < 1000) {
    return `${bytes} B`;
  }
  return bytes < 1_000_000 ? `${threeDigits(bytes / 1000)} kB` : `${threeDigits(bytes / 1_000_000)} MB`;
}

const numberFormat = new Intl.NumberFormat("en-US");

/// Formats a number of things: "1 event", "1,250 events".
function formatCount(count, noun, plural = `${noun}s`) {
  return `${numberFormat.format(count)} ${count === 1 ? noun : plural}`;
}

/// The index of the first element whose key is not less than `value`, in an array that is sorted by key.
function lowerBound(array, value, key, start = 0) {
  let low = start;
  let high = array.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (key(array[middle]) < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Inserts an element into a sorted array, after those with the same key. Most elements belong to the end of the array.
function insertSorted(array, element, key) {
  const value = key(element);
  if (array.length === 0 || key(array[array.length - 1]) <= value) {
    array.push(element);
    return;
  }
  let low = 0;
  let high = array.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (key(array[middle]) <= value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  array.splice(low, 0, element);
}
