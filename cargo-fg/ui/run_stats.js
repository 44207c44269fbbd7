// Figures of a run, and whether those of two runs differ by more than noise.

/// With fewer invocations in one of the runs, nothing is said about durations.
const MIN_FOR_VERDICT = 8;
/// How many standard deviations the rank sum must be away from what chance explains.
const NOTABLE_Z = 3;
/// Smaller differences of medians are not mentioned, in milliseconds and as a share.
const MENTIONED_MS = 0.1;
const MENTIONED_SHARE = 0.05;

/// Returns the figures of a run. Durations are sorted.
function runStats(session) {
  const { total, rows } = durationsOf(session);
  const finished = session.invocations.filter((invocation) => invocation.d !== null && !isCanceled(invocation));
  const coldStarts = new Map();
  for (const instance of session.instances) {
    for (const { row, d } of instance.coldStarts) {
      coldStarts.set(row, [...coldStarts.get(row) ?? [], d]);
    }
  }
  const booted = session.instances.map(({ bootedD }) => bootedD).filter((d) => d !== null);
  const sum = (elements) => elements.reduce((count, { events }) => count + events, 0);
  return {
    finished, failed: finished.filter(({ ok }) => !ok).length, total, rows,
    booted: Float64Array.from(booted).sort(), coldStarts: new Map([...coldStarts].map(([row, values]) => [row, Float64Array.from(values).sort()])),
    delivered: sum(session.deliveries), lost: sum(session.losses), attempts: session.attempts.length,
  };
}

/// Returns how far the ranks of two sorted samples are from what chance explains, in standard deviations (Mann and Whitney).
/// It is positive if the values of `b` are larger.
function rankDifference(a, b) {
  const count = a.length + b.length;
  let rankSum = 0;
  let ties = 0;
  let indexA = 0;
  let indexB = 0;
  let rank = 0;
  while (indexA < a.length || indexB < b.length) {
    const value = Math.min(a[indexA] ?? Infinity, b[indexB] ?? Infinity);
    let inB = 0;
    let same = 0;
    for (; a[indexA] === value; indexA += 1) {
      same += 1;
    }
    for (; b[indexB] === value; indexB += 1) {
      same += 1;
      inB += 1;
    }
    rankSum += inB * (rank + (same + 1) / 2);
    rank += same;
    ties += same ** 3 - same;
  }
  const expected = (b.length * (count + 1)) / 2;
  const variance = ((a.length * b.length) / 12) * (count + 1 - ties / (count * (count - 1)));
  return variance > 0 ? (rankSum - expected) / Math.sqrt(variance) : 0;
}

/// Returns whether two sorted samples differ by more than noise: `0`, or the sign of the difference of their medians.
function notableDifference(a, b) {
  if (a.length < MIN_FOR_VERDICT || b.length < MIN_FOR_VERDICT) {
    return 0;
  }
  const [before, after] = [quantile(a, 0.5), quantile(b, 0.5)];
  const difference = after - before;
  const notable = Math.abs(difference) >= Math.max(MENTIONED_MS, MENTIONED_SHARE * before);
  const z = rankDifference(a, b);
  return notable && Math.abs(z) >= NOTABLE_Z && Math.sign(z) === Math.sign(difference) ? Math.sign(difference) : 0;
}

/// Returns what can be said about the differences of two runs, each as `{tone, text}`.
function verdictOf(a, b) {
  const few = Math.min(a.total.length, b.total.length) < MIN_FOR_VERDICT;
  const findings = [];
  const add = (tone, text) => findings.push({ tone, text });
  if (few) {
    add("plain", `There are too few invocations to tell a difference from noise: ${a.total.length} and ${b.total.length}, and at least ${MIN_FOR_VERDICT} in each run are needed.`);
  }
  const rows = [...a.rows.keys()].filter((row) => b.rows.has(row));
  const subjects = [["An invocation", a.total, b.total], ...rows.map((row) => [row === "function" ? "The function" : row, a.rows.get(row), b.rows.get(row)])];
  for (const [name, before, after] of subjects) {
    const sign = notableDifference(before, after);
    if (sign !== 0) {
      const [from, to] = [quantile(before, 0.5), quantile(after, 0.5)];
      add(sign > 0 ? "slow" : "good", `${name} takes ${sign > 0 ? "longer" : "less time"} in B: the median is ${formatMs(to)}, and ${formatMs(from)} in A (${formatShare(from, to)}).`);
    }
  }
  if (!few && findings.length === 0) {
    add("plain", "Durations do not differ beyond the noise.");
  }
  if (a.failed > 0 || b.failed > 0) {
    const share = ({ failed, finished }) => `${numberFormat.format(failed)} of ${numberFormat.format(finished.length)}`;
    const isWorse = b.failed * a.finished.length > a.failed * b.finished.length;
    add(isWorse ? "bad" : "plain", `Failed invocations: ${share(a)} in A, ${share(b)} in B.`);
  }
  if (a.lost > 0 || b.lost > 0) {
    add(b.lost > a.lost ? "bad" : "plain", `Lost telemetry events: ${numberFormat.format(a.lost)} in A, ${numberFormat.format(b.lost)} in B.`);
  }
  const only = (one, other, name) => {
    const missing = [...one.rows.keys()].filter((row) => !other.rows.has(row) && row !== "function");
    if (missing.length > 0 && one.total.length > 0 && other.total.length > 0) {
      add("plain", `Only in ${name}: ${missing.join(", ")}.`);
    }
  };
  only(a, b, "A");
  only(b, a, "B");
  return findings;
}

/// Formats a relative difference: "+12 %", "−3.5 %".
function formatShare(from, to) {
  if (!(from > 0)) {
    return to > 0 ? "new" : "same";
  }
  const percent = ((to - from) / from) * 100;
  if (Math.abs(percent) < 0.05) {
    return "±0 %";
  }
  const size = Math.abs(percent);
  return `${percent > 0 ? "+" : "−"}${size < 9.95 ? size.toFixed(1) : numberFormat.format(Math.round(size))} %`;
}

/// Pairs the invocations of two runs: by trace ID if they share some, as after `--replay`, or else by number.
function pairInvocations(a, b) {
  const finished = (session) => session.invocations.filter(({ d }) => d !== null);
  const traces = finished(a).filter(({ traceId }) => b.byTrace.has(traceId));
  const byTrace = traces.length > 0;
  const pairs = byTrace
    ? traces.map((invocation) => [invocation, b.byTrace.get(invocation.traceId)])
    : finished(a).map((invocation) => [invocation, b.invocation(invocation.n)]);
  const both = pairs.filter(([, other]) => other && other.d !== null);
  return { byTrace, pairs: both.sort((x, y) => Math.abs(y[1].d - y[0].d) - Math.abs(x[1].d - x[0].d)) };
}
