"""An extension that does not use fg-extension, written with Python's standard library.

It prints its process ID, the trace ID of each invocation, and the number of telemetry events in each batch.
FG_EXTENSION_PORT and FG_TELEMETRY_PORT change its ports, so that tests can run in parallel. If FG_TELEMETRY_PORT is empty,
the extension does not subscribe to telemetry. FAULT selects one fault, for example "no-retry".
"""

import http.client
import json
import os
import random
import re
import select
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

NAME = "extensionNightWatch.sh"
FAULT = os.environ.get("FAULT", "")
PORT = int(os.environ.get("FG_EXTENSION_PORT", "8081"))
TELEMETRY_PORT = int(os.environ.get("FG_TELEMETRY_PORT", "8082") or 0)
USER_DATA = json.loads(os.environ.get("RUNTIME_USERDATA", "{}"))
if "CITY" in USER_DATA:
    if FAULT == "ignores-user-data" and "CITY" not in os.environ:
        sys.exit("CITY is not set")
    if FAULT == "moves-without-city" and "CITY" not in os.environ:
        PORT, TELEMETRY_PORT = TELEMETRY_PORT, 0
FIELDS = {"traceId", "invokedFunctionUrn"}
SUBTYPES = re.compile(r"platform\.(start|report|runtimedone|(init|restore)(start|report|runtimedone))", re.I)

in_flight = 0
changed = threading.Condition()
events = 0
kept = []
was_frozen = threading.Event()
one_at_a_time = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        global in_flight
        if FAULT == "ignores-body":
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return
        length = int(self.headers.get("Content-Length", 0))
        with changed:
            in_flight += 1
        try:
            is_partial = length > 0 and len(self.rfile.peek(1)) < length
            body = self.rfile.read(length)
            if FAULT == "drops-partial" and is_partial and signal.SIGTERM in signal.sigpending():
                self.close_connection = True
                return
            status, response = self.respond(body)
            self.send(status, response)
        finally:
            with changed:
                in_flight -= 1
                changed.notify_all()

    def send(self, status, response):
        text = json.dumps(response).encode()
        if status == 200:
            text = {"empty": b"", "html": b"<html><body>OK</body></html>"}.get(FAULT, text)
        length = len(text) - 5 if FAULT == "wrong-length" and isinstance(self, Invocations) else len(text)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if FAULT == "doubled-headers":
            self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(text)
        if FAULT == "silent-close":
            self.close_connection = True

    def handle(self):
        if FAULT == "ignores-second":
            self.handle_one_request()
            # Waits until the client closes the connection.
            poll = select.poll()
            poll.register(self.connection, select.POLLRDHUP)
            poll.poll()
        else:
            super().handle()

    def log_message(self, *_):
        pass


class Invocations(Handler):
    def respond(self, body):
        if self.path != "/extension/invoke":
            return 404, {"error": "expected /extension/invoke"}
        try:
            event = json.loads(body)
            trace_id = event["traceId"]
            if not isinstance(trace_id, str):
                raise ValueError("traceId must be a string")
        except (ValueError, KeyError, TypeError) as error:
            if FAULT == "accepts-malformed":
                return 200, {}
            if FAULT == "crashes-on-malformed":
                os._exit(1)
            return 400, {"error": f"not a valid event: {error!r}"}
        if FAULT == "rejects-unknown-fields" and set(event) != FIELDS:
            return 400, {"error": "unknown fields"}
        self.count_event()
        if FAULT == "dies" or FAULT == "dies-later" and events > 300:
            os._exit(3)
        if FAULT == "fails-later" and events > 300:
            return 500, {"error": "too many events"}
        if FAULT == "hangs-later" and events > 68:
            time.sleep(60)
        if FAULT == "blocks":
            time.sleep(30)
        if FAULT == "slow":
            time.sleep(4)
        if FAULT == "slower-than-a-second":
            time.sleep(1.2)
        if FAULT == "one-at-a-time":
            with one_at_a_time:
                time.sleep(0.04)
        if FAULT == "handler-fails":
            return 500, {"error": "the vault\nis sealed"}
        if FAULT in ("exits-on-sigterm", "exits-later", "drops-partial"):
            # A handler that takes a moment, not always the same, so that requests are in flight when the signal arrives.
            time.sleep(random.uniform(0.7, 0.9))
        if FAULT == "exits-on-sigterm" and signal.SIGTERM in signal.sigpending():
            os._exit(0)
        if FAULT == "exits-later" and signal.SIGTERM in signal.sigpending():
            time.sleep(4)
        if FAULT == "fails-after-thaw" and signal.SIGCONT in signal.sigpending():
            signal.sigwait([signal.SIGCONT])
            return 500, {"error": "the token has expired"}
        if was_frozen.is_set():
            was_frozen.clear()
            return 500, {"error": "the session has expired"}
        if FAULT == "writes":
            open("/var/tmp/night_watch", "a").close()
        if FAULT == "tries-to-write":
            try:
                open("/var/tmp/night_watch", "a").close()
            except OSError as error:
                print(error, file=sys.stderr, flush=True)
        print(trace_id, flush=True)
        if FAULT == "foreign-trace-id":
            trace_id = "3da1f2dc-3222-475e-9205-e2e6c6318895"
        return 200, {"traceId": trace_id, "invokedFunctionUrn": event.get("invokedFunctionUrn")}

    def count_event(self):
        global events
        events += 1
        if FAULT == "leaks-memory":
            kept.append(os.urandom(3000))
        if FAULT == "leaks-threads":
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        if FAULT == "leaks-descriptors" and events % 4 == 0:
            kept.append(open("/dev/null"))
        if FAULT == "leaks-sockets" and events % 4 == 0:
            kept.append(socket.socket())


class Telemetry(Handler):
    def respond(self, body):
        text = body.decode(errors="replace")
        if FAULT != "strict-json":
            text = re.sub(r",(\s*[\]}])", r"\1", text)
        try:
            events = json.loads(text)
        except ValueError as error:
            return 400, {"error": f"not valid telemetry: {error}"}
        names = [event["name"] for event in events if isinstance(event, dict) and "name" in event]
        if FAULT == "rejects-spaces" and any(name != name.strip() for name in names):
            return 400, {"error": "a name has spaces"}
        if FAULT == "rejects-unknown-events" and not all(SUBTYPES.fullmatch(name.strip()) for name in names):
            return 400, {"error": "an unknown event"}
        print(len(events), "events", flush=True)
        return 200, {}


def listen(kind, port, handler):
    kind.request_queue_size = 128
    kind.daemon_threads = True
    server = kind(("0.0.0.0" if FAULT == "all-interfaces" and port == PORT else "127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def send(path, method="POST", headers=(), body=""):
    connection = http.client.HTTPConnection(os.environ["EXTENSION_API_ADDR"], timeout=5)
    try:
        connection.putrequest(method, path)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            connection.putheader(name, value)
        connection.endheaders(body.encode())
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


def register():
    name = "night_watch.py" if FAULT == "wrong-name" else NAME
    headers = [
        ("Content-Type", "application/json"),
        ("FunctionGraph-Extension-Name", name),
        ("FunctionGraph-Extension-Address", f"127.0.0.1:{8091 if FAULT == 'wrong-port' else PORT}"),
    ]
    if FAULT == "no-address":
        headers.pop()
    if FAULT == "repeated-header":
        headers.append(("FunctionGraph-Extension-Name", NAME))
    method = "GET" if FAULT == "registers-with-get" else "POST"
    pause = 0.05
    for _ in range(8):
        try:
            status, text = send("/extension/register", method, headers)
        except (OSError, http.client.HTTPException) as error:
            status, text = None, repr(error)
        if status == 200:
            if FAULT == "registers-twice":
                send("/extension/register", method, headers)
            return
        if FAULT == "no-retry" or status is not None and status < 500:
            break
        time.sleep(pause)
        pause *= 2
    if FAULT == "keeps-running":
        return
    print(f"{NAME}: cannot register: {status} {text}", file=sys.stderr)
    sys.exit(0 if FAULT == "exits-0" else 1)


def subscribe():
    if not TELEMETRY_PORT:
        return
    body = {
        "subscriber": {"protocol": "POST", "uri": f"http://127.0.0.1:{TELEMETRY_PORT}"},
        "types": ["extension"] if FAULT == "feeds-itself" else ["platform", "function"],
    }
    status, text = send("/telemetry", body=json.dumps(body))
    if status != 200:
        print(f"{NAME}: cannot subscribe to telemetry: {status} {text}", file=sys.stderr)


def main():
    # `sigwait` needs a blocked signal. A signal handler would not work: the kernel may deliver the signal to any thread, but
    # Python runs handlers in the main thread only, which would not wake up.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    if FAULT == "fails-after-thaw":
        # A blocked SIGCONT stays pending, which shows that there was a thaw.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCONT])
    if FAULT == "exits-early":
        sys.exit("cannot find the vault")
    if "LOCK" in os.environ:
        # The file remains, so a second start fails.
        os.close(os.open(os.environ["LOCK"], os.O_CREAT | os.O_EXCL))
    if FAULT == "registers-first":
        register()
    kind = type("Serial", (HTTPServer,), {}) if FAULT in ("serial", "blocks") else ThreadingHTTPServer
    servers = [listen(kind, PORT, Invocations)]
    if TELEMETRY_PORT:
        servers.append(listen(ThreadingHTTPServer, TELEMETRY_PORT, Telemetry))
    if FAULT == "another-port":
        kept.append(listen(ThreadingHTTPServer, 0, Invocations))
    if FAULT == "busy":
        threading.Thread(target=spin, daemon=True).start()
    if FAULT == "fails-after-long-freeze":
        threading.Thread(target=watch_for_freeze, daemon=True).start()
    print("pid", os.getpid(), flush=True)
    if FAULT == "subscribes-first":
        subscribe()
    if FAULT != "registers-first":
        register()
    if FAULT == "subscribes-late":
        time.sleep(3)
    if FAULT != "subscribes-first":
        subscribe()
    wait_for_sigterm()
    for server in servers:
        server.shutdown()
        server.server_close()
    # Idle connections are closed when the process exits.
    with changed:
        changed.wait_for(lambda: in_flight == 0, timeout=4)
    sys.exit({"exits-3": 3, "exits-143": 143}.get(FAULT, 0))


def spin():
    while True:
        for _ in range(100_000):
            pass
        time.sleep(0.001)


def watch_for_freeze():
    before = time.monotonic()
    while True:
        time.sleep(0.1)
        now = time.monotonic()
        if now - before > 5:
            was_frozen.set()
        before = now


def wait_for_sigterm():
    if FAULT == "exits-on-sigterm":
        # The signal stays pending, so that a handler sees it too, however busy the machine is.
        while signal.SIGTERM not in signal.sigpending():
            time.sleep(0.02)
        os._exit(0)
    if FAULT == "drops-partial":
        # The signal stays pending here, too.
        while signal.SIGTERM not in signal.sigpending():
            time.sleep(0.02)
        return
    if FAULT == "exits-later":
        while signal.SIGTERM not in signal.sigpending():
            time.sleep(0.02)
        time.sleep(0.15)
        os._exit(0)
    signal.sigwait([signal.SIGTERM])
    while FAULT == "ignores-sigterm":
        signal.sigwait([signal.SIGTERM])


main()
