// The report of the conformance tests.

const CASE_OUTCOMES = {
  fail: { icon: "✕", title: "Failed", kind: "bad", verb: "failed" },
  warn: { icon: "!", title: "Warnings", kind: "warn", verb: "warned" },
  pass: { icon: "✓", title: "Passed", kind: "ok", verb: "passed" },
  skip: { icon: "–", title: "Skipped", kind: "skip", verb: "skipped" },
};
const CASE_GROUPS = {
  PKG: "Package", REG: "Registration", INV: "Invocation", FRZ: "Freeze", TEL: "Telemetry", RES: "Resources", SET: "Settings", END: "Shutdown", BUD: "Budget",
};
/// The name of the group of the cases that failed.
const FAILED = "Failed";
const MARKS = { D: "documented", I: "inferred", "?": "unknown" };

function createReport({ session }) {
  const filters = new Set();
  const head = new Slot();
  const progress = new Slot();
  const chips = new Slot();
  const failed = new Slot();
  const stderr = new Slot();
  const others = new Slot();
  const update = () => {
    const { report, ended } = session;
    const found = report ? report.cases : [...session.cases.values()];
    const key = report ? `report ${report.id}` : JSON.stringify(found);
    head.set(`${key} ${Boolean(ended)}`, () => reportHead(session, found));
    progress.set(`${report ? "" : found.length} ${session.info?.cases ?? ""} ${session.marks.length} ${Boolean(ended)}`, () => reportProgress(session, found));
    chips.set(`${key} ${[...filters]}`, () => filterChips(found, filters, update));
    const groups = caseGroups(found, filters);
    const sections = (isShown) => () => [...groups].filter(([name]) => isShown(name)).map(([name, items]) => caseGroup(name, items, report !== null));
    failed.set(`${key} ${[...filters]}`, sections((name) => name === FAILED));
    others.set(`${key} ${[...filters]}`, sections((name) => name !== FAILED));
    stderr.set(key, () => (report === null || report.stderr.length === 0 ? null : section("Last lines of standard error in boots with a failure", bodyView(report.stderr.join("\n"), "stderr.txt"))));
  };
  session.onChange(update);
  update();
  return el("div", { class: "report-panel" }, head.element, progress.element, chips.element, failed.element, stderr.element, others.element);
}

function countOutcomes(cases) {
  const counts = { fail: 0, warn: 0, pass: 0, skip: 0 };
  for (const { outcome } of cases) {
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

function reportHead({ report, ended }, cases) {
  const counts = countOutcomes(cases);
  if (!report) {
    const message = text(ended?.message);
    return el("header", { class: "detail-head" }, el("h2", {}, ended ? "The check did not finish" : "The check is running"),
      message === "" ? null : el("p", { class: "inline-error" }, visibleText(message)));
  }
  const verdict = counts.fail > 0 ? `${formatCount(counts.fail, "case")} failed`
    : counts.warn > 0 ? `No case failed, ${formatCount(counts.warn, "warning")}`
      : counts.skip > 0 ? "No case failed" : "Every case passed";
  const passed = counts.fail === 0;
  return el("header", { class: "detail-head" },
    el("h2", {}, visibleText(text(report.extension))),
    el("span", { class: `badge ${passed ? "ok" : "bad"}` }, el("span", { "aria-hidden": "true" }, passed ? "✓ " : "✕ "), verdict),
    el("span", { class: "muted" }, `${formatCount(cases.length, "case")} in ${formatMs(number(report.d))}`));
}

function reportProgress({ report, ended, info, marks }, cases) {
  if (report || ended) {
    return null;
  }
  const total = info?.cases;
  const bar = el("progress", { "aria-label": "Progress of the check" });
  if (Number.isFinite(total)) {
    bar.max = total;
    bar.value = cases.length;
  }
  const row = el("div", { class: "progress-row" }, bar, el("span", { class: "muted", role: "status" },
    Number.isFinite(total) ? `${cases.length} of ${formatCount(total, "case")}` : `${formatCount(cases.length, "case")} finished`));
  // For instance, a case takes about a minute.
  const notice = marks.at(-1);
  return el("div", {}, row, notice ? el("p", { class: "muted" }, visibleText(notice.text)) : null);
}

function filterChips(cases, filters, update) {
  if (cases.length === 0) {
    return null;
  }
  const counts = countOutcomes(cases);
  return el("div", { class: "chips", role: "group", "aria-label": "Outcomes" }, Object.entries(CASE_OUTCOMES).map(([outcome, { icon, title, kind }]) => el("button", {
    type: "button", class: "chip", "aria-pressed": String(filters.has(outcome)), disabled: counts[outcome] === 0 && !filters.has(outcome),
    onclick: () => {
      if (!filters.delete(outcome)) {
        filters.add(outcome);
      }
      update();
      // The chips were created again.
      document.querySelector(`#report .chip:nth-child(${Object.keys(CASE_OUTCOMES).indexOf(outcome) + 1})`)?.focus();
    },
  }, el("span", { class: `outcome ${kind}`, "aria-hidden": "true" }, icon), `${title} `, el("span", { class: "count" }, String(counts[outcome])))));
}

/// The cases that are not hidden, by the name of their group: those that failed first, the others by the beginning of their IDs.
function caseGroups(cases, filters) {
  const order = Object.keys(CASE_OUTCOMES);
  const rank = (outcome) => (order.indexOf(outcome) + order.length + 1) % (order.length + 1);
  const shown = cases.filter(({ outcome }) => filters.size === 0 || filters.has(outcome));
  const groups = new Map();
  const add = (name, item) => groups.set(name, [...groups.get(name) ?? [], item]);
  for (const item of shown.filter(({ outcome }) => outcome === "fail")) {
    add(FAILED, item);
  }
  const others = shown.filter(({ outcome }) => outcome !== "fail").sort((a, b) => rank(a.outcome) - rank(b.outcome));
  const names = [...new Set(shown.map(({ id }) => text(id).split("-")[0]))];
  for (const name of names) {
    others.filter(({ id }) => text(id).split("-")[0] === name).forEach((item) => add(CASE_GROUPS[name] ?? name, item));
  }
  return groups;
}

function caseGroup(name, items, explained) {
  return el("section", { class: `case-group${explained ? "" : " brief"}` }, el("h3", {}, `${name} `, el("span", { class: "muted" }, String(items.length))),
    items.map((item) => (explained ? explainedCase(item) : caseLine(item))));
}

function caseTitle({ id, outcome, sentence }) {
  const { icon, kind, verb } = CASE_OUTCOMES[outcome] ?? { icon: "?", kind: "skip", verb: text(outcome) };
  return [
    el("span", { class: `outcome ${kind}`, "aria-hidden": "true" }, icon), el("span", { class: "visually-hidden" }, `${verb}: `),
    el("code", { class: "case-id" }, text(id)), el("span", { class: "case-sentence" }, text(sentence)), el("span", { class: `case-outcome ${kind}` }, verb),
  ];
}

function caseLine(item) {
  return el("div", { class: "case" }, el("div", { class: "case-head" }, caseTitle(item)));
}

/// Returns the name of a page of the platform's documentation, of which the report has only the number.
function sourceName(source) {
  return /^\d{4}$/.test(source) ? `functiongraph_06_${source}` : /^\d\d_\d{4}$/.test(source) ? `functiongraph_${source}` : source;
}

function explainedCase(item) {
  const { outcome, detail, source, mark, tried, remedy } = item;
  return el("details", { class: "case", open: outcome === "fail" || outcome === "warn" }, el("summary", { class: "case-head" }, caseTitle(item)),
    facts([
      text(detail) !== "" && ["Finding", el("span", { class: "pre-wrap" }, visibleText(text(detail)))],
      ["Source", [text(source) === "" ? "" : `${sourceName(text(source))} `, el("span", { class: "badge", title: MARKS[mark] ?? "" }, `${text(mark)} ${MARKS[mark] ?? ""}`)]],
      ["Tested by", text(tried)],
      outcome !== "pass" && text(remedy) !== "" && ["How to fix it", text(remedy)],
    ]));
}
