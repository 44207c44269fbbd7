//! A journal of many invocations, in the format that `cargo fg dev --export` writes.

use serde_json::{Map, Value, json};

const SCRIPTS: [&str; 2] = ["extensionAuditLog.sh", "extensionNightWatch.sh"];
/// The time from one invocation to the next, in milliseconds.
const INTERVAL: f64 = 8.0;

/// Returns the data of an export with this number of invocations: `{"entries": […], "details": {…}}`.
///
/// Every seventh invocation is slow, every hundredth fails, and every thousandth is followed by a freeze.
pub fn journal(invocations: u64) -> Value {
    let mut journal = Journal::default();
    journal.boot();
    for n in 1..=invocations {
        journal.invocation(n);
    }
    journal.shut_down(40.0 + invocations as f64 * INTERVAL);
    json!({"entries": journal.entries, "details": journal.details})
}

/// Returns an exported page that has the given data instead of its own.
pub fn export(page: &str, data: &Value) -> String {
    let start = "<script type=\"application/json\" id=\"data\">";
    let from = page.find(start).expect("an exported page has data") + start.len();
    let to = from + page[from..].find("</script>").expect("the data ends");
    let data = data.to_string().replace('<', "\\u003c");
    format!("{}{data}{}", &page[..from], &page[to..])
}

#[derive(Default)]
struct Journal {
    entries: Vec<Value>,
    details: Map<String, Value>,
}

impl Journal {
    fn add(&mut self, t: f64, kind: &str, mut fields: Value) -> usize {
        let id = self.entries.len() + 1;
        fields["id"] = id.into();
        fields["t"] = round(t).into();
        fields["kind"] = kind.into();
        self.entries.push(fields);
        id
    }

    fn detail(&mut self, id: usize, detail: Value) {
        self.details.insert(id.to_string(), detail);
    }

    fn boot(&mut self) {
        self.add(
            0.0,
            "session",
            json!({
                "session": "generated", "command": "dev", "epoch_ms": 1_795_867_200_000_u64, "version": "0.1.0",
                "directory": "/src/night-watch", "scripts": SCRIPTS, "function": "synthetic",
                "faults": [["event-duplicate", "posts an invocation twice, with the same trace ID"]],
            }),
        );
        self.add(1.0, "boot", json!({"instance": 1}));
        for (i, script) in SCRIPTS.iter().enumerate() {
            let address = format!("127.0.0.1:{}", 8081 + i);
            let d = 5.0 + 12.0 * i as f64;
            self.add(
                1.5,
                "cold-start",
                json!({"row": script, "d": d, "address": address}),
            );
        }
        let types = ["platform", "function"];
        self.add(
            19.0,
            "subscribed",
            json!({"uri": "http://127.0.0.1:8083", "types": types}),
        );
        self.add(1.0, "booted", json!({"instance": 1, "d": 19.5}));
    }

    fn invocation(&mut self, n: u64) {
        let t = 40.0 + (n - 1) as f64 * INTERVAL;
        let trace_id = format!("00000000-0000-4000-8000-{n:012}");
        let slow = if n.is_multiple_of(7) { 3.5 } else { 0.0 };
        let ok = !n.is_multiple_of(100);
        let outcome = if ok { "ok" } else { "error" };
        let payload = format!("{{\"order\": {n}}}");
        let sent = self.add(
            t,
            "invoke",
            json!({"n": n, "trace_id": trace_id, "outcome": "ok", "duration_ms": 0.0, "payload": payload}),
        );
        self.detail(sent, json!({"payload": payload, "logs": []}));
        for (i, script) in SCRIPTS.iter().enumerate() {
            let stream = ["stdout", "stderr"][i];
            let text = format!("{trace_id} order {n} was written");
            let at = t + 0.4 + 0.3 * i as f64;
            self.add(
                at,
                "log",
                json!({"row": script, "stream": stream, "text": text}),
            );
        }
        let extensions: Vec<_> = SCRIPTS
            .iter()
            .enumerate()
            .map(|(i, script)| {
                let d = 0.9 + i as f64 * slow;
                json!({"row": script, "after": 0.1, "d": d, "status": 200})
            })
            .collect();
        let id = self.add(
            t,
            "invoked",
            json!({
                "n": n, "trace_id": trace_id, "ok": ok, "d": 1.2 + slow,
                "function": {"d": 0.3, "outcome": outcome, "response": "{}"}, "extensions": extensions,
            }),
        );
        let bodies = SCRIPTS.map(|row| json!({"row": row, "body": "{}"}));
        let event = json!({"traceId": trace_id, "invokedFunctionUrn": "sn:cn:yrk:1111:function:0@test@hello:latest"});
        self.detail(
            id,
            json!({"event": event.to_string(), "response": "{}", "extensions": bodies}),
        );
        let types = ["platform.start", "platform.runtimeDone", "platform.report"];
        let events = types.map(|name| json!({"time": "2026-11-28T12:00:00.000Z", "type": name, "record": {"requestId": trace_id}}));
        let body = Value::from(events.to_vec()).to_string();
        let counts: Map<_, _> = types
            .map(|name| (name.to_owned(), 1.into()))
            .into_iter()
            .collect();
        let id = self.add(
            t + 2.0 + slow,
            "delivery",
            json!({
                "d": 0.8, "events": types.len(), "bytes": body.len(), "status": 200, "types": counts, "trace_ids": [trace_id],
            }),
        );
        self.detail(id, json!({"body": body}));
        if n.is_multiple_of(1000) {
            self.add(t + 6.0, "frozen", json!({}));
            self.add(t + 7.5, "thawed", json!({}));
        }
    }

    fn shut_down(&mut self, t: f64) {
        self.add(t, "shutdown", json!({"instance": 1}));
        for script in SCRIPTS {
            let status = "exited with status 0";
            self.add(
                t,
                "stopped",
                json!({"row": script, "d": 3.0, "status": status, "killed": false}),
            );
        }
        self.add(t, "down", json!({"instance": 1, "d": 4.0}));
        self.add(t + 4.0, "end", json!({"ok": true}));
    }
}

/// Rounds to microseconds, like the journal.
fn round(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}
