"""An extension that does not use fg-extension, written with Python's standard library.

It prints its process ID, the trace ID of each invocation, and the number of telemetry events in each batch.
FG_EXTENSION_PORT and FG_TELEMETRY_PORT change its ports, so that tests can run in parallel. If FG_TELEMETRY_PORT is empty,
the extension does not subscribe to telemetry. FAULT selects one fault, for example "no-retry".
"""

import http.client
import json
import os
import re
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

NAME = "extensionNightWatch.sh"
FAULT = os.environ.get("FAULT", "")
PORT = int(os.environ.get("FG_EXTENSION_PORT", "8081"))
TELEMETRY_PORT = int(os.environ.get("FG_TELEMETRY_PORT", "8082") or 0)
FIELDS = {"traceId", "invokedFunctionUrn"}
SUBTYPES = re.compile(r"platform\.(start|report|runtimedone|(init|restore)(start|report|runtimedone))", re.I)

in_flight = 0
changed = threading.Condition()


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
        with changed:
            in_flight += 1
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, response = self.respond(body)
            text = json.dumps(response).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            if FAULT == "silent-close":
                self.close_connection = True
        finally:
            with changed:
                in_flight -= 1
                changed.notify_all()

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
        if FAULT == "dies":
            os._exit(3)
        if FAULT == "blocks":
            time.sleep(30)
        if FAULT == "slow":
            time.sleep(4)
        if FAULT == "handler-fails":
            return 500, {"error": "the vault\nis sealed"}
        if FAULT == "exits-on-sigterm" and signal.SIGTERM in signal.sigpending():
            os._exit(0)
        if FAULT == "exits-later" and signal.SIGTERM in signal.sigpending():
            time.sleep(4)
        if FAULT == "fails-after-thaw" and signal.SIGCONT in signal.sigpending():
            signal.sigwait([signal.SIGCONT])
            return 500, {"error": "the token has expired"}
        print(trace_id, flush=True)
        return 200, {"traceId": trace_id, "invokedFunctionUrn": event.get("invokedFunctionUrn")}


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
    server = kind(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def send(path, method="POST", headers=None, body=""):
    connection = http.client.HTTPConnection(os.environ["EXTENSION_API_ADDR"], timeout=5)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


def register():
    headers = {
        "Content-Type": "application/json",
        "FunctionGraph-Extension-Name": "night_watch.py" if FAULT == "wrong-name" else NAME,
        "FunctionGraph-Extension-Address": f"127.0.0.1:{8091 if FAULT == 'wrong-port' else PORT}",
    }
    if FAULT == "no-address":
        del headers["FunctionGraph-Extension-Address"]
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
        "types": ["platform", "function"],
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
    if FAULT == "registers-first":
        register()
    kind = type("Serial", (HTTPServer,), {}) if FAULT in ("serial", "blocks") else ThreadingHTTPServer
    servers = [listen(kind, PORT, Invocations)]
    if TELEMETRY_PORT:
        servers.append(listen(ThreadingHTTPServer, TELEMETRY_PORT, Telemetry))
    print("pid", os.getpid(), flush=True)
    if FAULT == "subscribes-first":
        subscribe()
    if FAULT != "registers-first":
        register()
    if FAULT != "subscribes-first":
        subscribe()
    wait_for_sigterm()
    for server in servers:
        server.shutdown()
        server.server_close()
    # Idle connections are closed when the process exits.
    with changed:
        changed.wait_for(lambda: in_flight == 0, timeout=4)
    sys.exit(3 if FAULT == "exits-3" else 0)


def wait_for_sigterm():
    if FAULT == "exits-on-sigterm":
        # The signal stays pending, so that a handler sees it too, however busy the machine is.
        while signal.SIGTERM not in signal.sigpending():
            time.sleep(0.02)
        os._exit(0)
    if FAULT == "exits-later":
        while signal.SIGTERM not in signal.sigpending():
            time.sleep(0.02)
        time.sleep(0.15)
        os._exit(0)
    signal.sigwait([signal.SIGTERM])
    while FAULT == "ignores-sigterm":
        signal.sigwait([signal.SIGTERM])


main()
