// Which part of the run is shown as long as the user has not chosen one.

/// What the window shows must be at least this part of it, or the window is chosen anew.
const MIN_PART = 1 / 60;
/// The part of the window that the last invocation fills when the window is chosen.
const PART = 1 / 4;
/// The time from the start of the last invocation to the end of its telemetry is shown if it is at most so many times as long as
/// the invocation.
const MAX_FOLLOWING = 15;
const MIN_WINDOW_MS = 0.02;

/// The whole run, with some space around it.
function wholeWindow(session, now) {
  const starts = [session.builds, session.instances, session.invocations, session.marks].filter((list) => list.length > 0).map((list) => list[0].t);
  const first = starts.length > 0 ? Math.min(...starts) : 0;
  const span = Math.max(now - first, 1);
  return { from: first - span * 0.01, to: now + span * 0.03 };
}

/// The whole run, unless it was idle for long at its end: then without this time.
function overviewWindow(session, now) {
  const whole = wholeWindow(session, now);
  const last = (spans) => spans[spans.length - 1]?.end ?? 0;
  const active = Math.max(last(session.invocations), last(session.deliveries), last(session.attempts));
  const span = active - whole.from;
  const instance = session.instance();
  const next = instance?.shutdownT ?? instance?.downT ?? now;
  return active > 0 && next - active > span * 0.5 ? { from: whole.from, to: active + span * 0.05 } : whole;
}

/// The window that follows a run. It shows the whole run as long as its last invocation is visible then. After that, it shows the
/// last invocation at a readable size, and as much as fits of what was before; as on an oscilloscope, whose trigger is the
/// invocation. Without invocations, it shows the boot. Its width changes only if it must, so that it is calm.
function followedWindow(session, now, view) {
  const current = view.to - view.from;
  const instance = session.instance();
  const last = session.invocations[session.invocations.length - 1];
  if (!last || (instance && instance.t > last.t)) {
    const start = instance?.t ?? session.builds[session.builds.length - 1]?.t ?? 0;
    const span = Math.max(lastActivity(session, now, start) - start, 1);
    return { from: start - span * 0.03, to: start + span * 1.15 };
  }
  const first = firstInFlight(session) ?? last;
  const end = Math.max(last.end ?? now, first.end ?? now);
  const span = Math.max(end - first.t, 0.05);
  const activity = lastActivity(session, now, end);
  const whole = wholeWindow(session, activity);
  if (span / (whole.to - whole.from) >= MIN_PART) {
    return whole;
  }
  // The boot belongs to the first invocation of an instance.
  if (instance && session.invocations[lowerBound(session.invocations, instance.t, byStart)] === first) {
    const width = Math.max(end - instance.t, MIN_WINDOW_MS);
    if (span / width >= MIN_PART / 4) {
      return { from: instance.t - width * 0.03, to: end + width * 0.15 };
    }
  }
  // What follows the invocation, such as its telemetry, is shown if both are readable.
  const follows = activity - first.t;
  const wanted = Math.max(span / PART, follows <= span * MAX_FOLLOWING ? follows / 0.7 : 0);
  const width = wanted / current >= 0.4 && wanted / current <= 1.1 ? current : wanted;
  const right = follows <= width * 0.85 ? activity : end;
  return { from: right - width * 0.88, to: right + width * 0.12 };
}

function firstInFlight(session) {
  for (const invocation of session.inFlight) {
    return invocation;
  }
  return null;
}

/// The end of what is drawn after a time. A freeze that goes on does not count, since it can take forever.
function lastActivity(session, now, otherwise) {
  const instance = session.instance();
  const last = (spans) => spans[spans.length - 1]?.end ?? 0;
  return Math.max(
    otherwise,
    session.inFlight.size > 0 ? now : 0,
    instance && isBooting(session, instance) ? now : 0,
    instance && instance.bootedD !== null ? instance.t + instance.bootedD : 0,
    instance && instance.downT !== null ? instance.downT + instance.downD : instance?.shutdownT ?? 0,
    ...session.lanesOf("telemetry").lanes.map(last),
    session.marks[session.marks.length - 1]?.t ?? 0,
  );
}

/// The window around an invocation.
function invocationWindow(invocation, now) {
  const span = Math.max((invocation.end ?? now) - invocation.t, MIN_WINDOW_MS);
  return { from: invocation.t - span * 0.15, to: invocation.t + span * 1.25 };
}
