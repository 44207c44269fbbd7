"""An extension that is not ours: Python's standard library, and the platform's documentation.

It prints its pid, the trace id of each invocation, and how many events of telemetry arrived. FG_EXTENSION_PORT and
FG_TELEMETRY_PORT give it other ports, for tests that run side by side; without a telemetry port (FG_TELEMETRY_PORT is
empty) it does not subscribe. FAULT makes it do one thing wrong.
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
        if FAULT == "blind":
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return
        with changed:
            in_flight += 1
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = self.answer(body)
            text = json.dumps(answer).encode()
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
    def answer(self, body):
        if self.path != "/extension/invoke":
            return 404, {"error": "invocations go to /extension/invoke"}
        try:
            event = json.loads(body)
            trace_id = event["traceId"]
            if not (isinstance(trace_id, str) and isinstance(event["invokedFunctionUrn"], str)):
                raise ValueError("traceId and invokedFunctionUrn are texts")
        except (ValueError, KeyError, TypeError) as error:
            if FAULT == "lenient":
                return 200, {}
            if FAULT == "crash":
                os._exit(1)
            return 400, {"error": f"this is no event: {error!r}"}
        if FAULT == "closed-world" and set(event) != FIELDS:
            return 400, {"error": "too many fields"}
        if FAULT == "dies":
            os._exit(3)
        if FAULT == "handler-fails":
            return 500, {"error": "the vault\nis sealed"}
        if FAULT == "hangs-up" and signal.SIGTERM in signal.sigpending():
            os._exit(0)
        if FAULT == "stale" and signal.SIGCONT in signal.sigpending():
            signal.sigwait([signal.SIGCONT])
            return 500, {"error": "the token has expired"}
        print(trace_id, flush=True)
        return 200, {"traceId": trace_id, "invokedFunctionUrn": event["invokedFunctionUrn"]}


class Telemetry(Handler):
    def answer(self, body):
        text = body.decode(errors="replace")
        if FAULT != "strict-json":
            text = re.sub(r",(\s*[\]}])", r"\1", text)
        try:
            events = json.loads(text)
        except ValueError as error:
            return 400, {"error": f"this is no telemetry: {error}"}
        names = [event["name"] for event in events if isinstance(event, dict) and "name" in event]
        if FAULT == "untrimmed" and any(name != name.strip() for name in names):
            return 400, {"error": "a name has spaces"}
        if FAULT == "known-only" and not all(SUBTYPES.fullmatch(name.strip()) for name in names):
            return 400, {"error": "an unknown event"}
        print(len(events), "events", flush=True)
        return 200, {}


def listen(kind, port, handler):
    kind.request_queue_size = 128
    kind.daemon_threads = True
    server = kind(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def call(path, method="POST", headers=None, body=""):
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
    method = "GET" if FAULT == "get" else "POST"
    pause = 0.05
    for _ in range(8):
        try:
            status, said = call("/extension/register", method, headers)
        except (OSError, http.client.HTTPException) as error:
            status, said = None, repr(error)
        if status == 200:
            if FAULT == "registers-twice":
                call("/extension/register", method, headers)
            return
        if FAULT == "no-retry" or status is not None and status < 500:
            break
        time.sleep(pause)
        pause *= 2
    if FAULT == "goes-on":
        return
    print(f"{NAME}: not registered: {status} {said}", file=sys.stderr)
    sys.exit(0 if FAULT == "exits-0" else 1)


def subscribe():
    if not TELEMETRY_PORT:
        return
    body = {
        "subscriber": {"protocol": "POST", "uri": f"http://127.0.0.1:{TELEMETRY_PORT}"},
        "types": ["platform", "function"],
    }
    status, said = call("/telemetry", body=json.dumps(body))
    if status != 200:
        print(f"{NAME}: no telemetry: {status} {said}", file=sys.stderr)


def main():
    # For `sigwait`: the kernel may give the signal to any thread, and Python handles it in the main thread only, which
    # would not wake up.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    if FAULT == "stale":
        # Blocked, it stays pending, and so tells that there was a thaw.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCONT])
    if FAULT == "no-registration":
        sys.exit("there is no one to call")
    if FAULT == "registers-first":
        register()
    kind = type("Serial", (HTTPServer,), {}) if FAULT == "serial" else ThreadingHTTPServer
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
    # Connections that are idle end with the process.
    with changed:
        changed.wait_for(lambda: in_flight == 0, timeout=4)
    sys.exit(3 if FAULT == "exits-3" else 0)


def wait_for_sigterm():
    if FAULT == "hangs-up":
        # It stays pending, so that whoever comes first sees it, however busy the machine is.
        while signal.SIGTERM not in signal.sigpending():
            time.sleep(0.02)
        os._exit(0)
    signal.sigwait([signal.SIGTERM])
    while FAULT == "deaf":
        signal.sigwait([signal.SIGTERM])


main()
