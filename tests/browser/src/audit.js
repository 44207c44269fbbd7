// What a page must fulfill for everyone: texts with contrast, controls that can be tapped, and a visible focus. Each function
// returns a list of complaints.

const controls = "button, input:not([type=hidden]), select, textarea, a[href], summary, [role=button], [role=tab], [role=option], [tabindex]";

function isVisible(element) {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
    const { width, height } = element.getBoundingClientRect();
    const clip = getComputedStyle(element);
    // Texts for screen readers only are clipped.
    return width > 1 && height > 1 && clip.clipPath !== "inset(50%)";
}

function describe(element) {
    const id = element.id ? `#${element.id}` : "";
    const classes = [...element.classList].map((name) => `.${name}`).join("");
    const name = element.getAttribute("aria-label") ?? element.innerText ?? element.value ?? "";
    const panel = element.closest("[id]");
    const place = panel && panel !== element ? ` in #${panel.id}` : "";
    return `${element.localName}${id}${classes} "${name.trim().slice(0, 40)}"${place}`;
}

// Any CSS color as red, green, blue and alpha, from 0 to 1.
const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const parsed = new Map();
function rgba(color) {
    if (!parsed.has(color)) {
        pixel.clearRect(0, 0, 1, 1);
        pixel.fillStyle = color;
        pixel.fillRect(0, 0, 1, 1);
        parsed.set(color, [...pixel.getImageData(0, 0, 1, 1).data].map((byte) => byte / 255));
    }
    return parsed.get(color);
}

function over([r, g, b, a], below) {
    return [r, g, b].map((value, i) => value * a + below[i] * (1 - a));
}

function luminance(color) {
    const [r, g, b] = color.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function background(element) {
    const layers = [];
    let opacity = 1;
    for (let it = element; it; it = it.parentElement) {
        const style = getComputedStyle(it);
        layers.push(rgba(style.backgroundColor));
        opacity *= Number(style.opacity);
    }
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [0.07, 0.07, 0.07] : [1, 1, 1];
    return { color: layers.reverse().reduce((below, layer) => over(layer, below), canvas), opacity };
}

/// Texts whose contrast is below that of WCAG 2.2, level AA: 4.5, or 3 for large text. Disabled controls are exempt there.
function lowContrast() {
    const found = new Set();
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
        if (!isVisible(element) || element.closest(":disabled, [aria-disabled=true]")) continue;
        const style = getComputedStyle(element);
        const { color, opacity } = background(element);
        const [r, g, b, a] = rgba(style.color);
        const [light, dark] = [luminance(over([r, g, b, a * opacity], color)), luminance(color)].sort((x, y) => y - x);
        const contrast = (light + 0.05) / (dark + 0.05);
        const size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        if (contrast < (isLarge ? 3 : 4.5)) {
            found.add(`${contrast.toFixed(2)}: ${describe(element)}, ${style.color}`);
        }
    }
    return [...found];
}

/// Controls that a finger cannot hit: less than 40 pixels high or wide, with their label, and with what reacts around them.
function smallTargets() {
    const found = [];
    for (const element of document.querySelectorAll(controls)) {
        // What is only focusable, such as a text that can be scrolled with keys, is not tapped.
        if (!isVisible(element) || element.matches(":disabled, pre, [role=tabpanel], [role=region], [role=log], [role=table], [role=list], [role=grid], [role=listbox]")) continue;
        const target = element.closest("label") ?? element;
        const { left, top, width, height } = target.getBoundingClientRect();
        const [x, y] = [left + width / 2, top + height / 2];
        // At the edge of a list, the area on one side is out of view.
        const reacts = (dx, dy) => target.contains(document.elementFromPoint(x + dx, y + dy));
        if ((Math.round(width) < 40 && !(reacts(-19, 0) || reacts(19, 0))) || (Math.round(height) < 40 && !(reacts(0, -19) || reacts(0, 19)))) {
            // A control that is partly scrolled out of view cannot be probed.
            if (reacts(0, 0)) found.push(`${width.toFixed(0)} × ${height.toFixed(0)}: ${describe(element)}`);
        }
    }
    return found;
}

/// Elements that make the page wider than the window.
function overflow() {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const wide = [...document.body.querySelectorAll("*")].filter((it) => isVisible(it) && it.getBoundingClientRect().right > clientWidth + 1);
    return [`${scrollWidth} > ${clientWidth}`, ...wide.slice(0, 10).map(describe)];
}

/// Texts that are cut off without an ellipsis or a scroll bar.
function cutTexts() {
    return [...document.querySelectorAll("button, label, h1, h2, h3, th, legend, [role=tab]")].filter((element) => {
        const style = getComputedStyle(element);
        return isVisible(element) && style.textOverflow !== "ellipsis" && style.overflowX !== "auto" && style.overflowX !== "scroll"
            && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0 && style.overflowX !== "visible";
    }).map(describe);
}

/// The controls that the Tab key should reach. Those with `tabindex="-1"` are reached with other keys.
function tabStops() {
    const radios = new Set();
    return [...document.querySelectorAll(controls)].filter((element) => {
        if (!isVisible(element) || element.tabIndex < 0 || element.disabled) return false;
        if (element.type === "radio") {
            if (radios.has(element.name)) return false;
            radios.add(element.name);
        }
        return true;
    });
}

/// Whether the focused element looks different from how it looks without focus.
function hasVisibleFocus(element) {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
    return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
}

/// Measures the time from frame to frame, in milliseconds, while `step` runs before each frame.
async function frameTimes(frames, step) {
    const times = [];
    let before = await new Promise(requestAnimationFrame);
    for (let frame = 0; frame < frames; frame += 1) {
        step(frame);
        const now = await new Promise(requestAnimationFrame);
        times.push(now - before);
        before = now;
    }
    return times;
}
