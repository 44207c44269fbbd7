"""The jobs of the benchmarks on http.server of the standard library.

Prints each invocation, or, if BENCH_EVENTS is set, subscribes to telemetry and counts the events by kind.
"""

import json
import os
import signal
import sys
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8081
EXPECTED = int(os.environ.get("BENCH_EVENTS", 0))

lock = threading.Lock()
kinds = {}
events = 0
trace_id_bytes = 0


def invoke(body):
    invocation = json.loads(body)
    print(invocation["traceId"], "invoked", invocation["invokedFunctionUrn"], flush=True)
    return json.dumps(invocation).encode()


def telemetry(body):
    global events, trace_id_bytes
    batch = json.loads(body)
    with lock:
        for event in batch:
            kinds[event["name"]] = kinds.get(event["name"], 0) + 1
            trace_id_bytes += len(event["traceId"])
            events += 1
            if events == EXPECTED:
                print("done", kinds, trace_id_bytes, flush=True)
    return b""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffer the response, so that it is sent in one write.
    wbufsize = -1

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        response = (telemetry if EXPECTED else invoke)(body)
        self.send_response(200)
        self.send_header("content-length", str(len(response)))
        self.end_headers()
        self.wfile.write(response)

    def log_message(self, *arguments):
        pass


def post(path, headers, body):
    connection = HTTPConnection(os.environ["EXTENSION_API_ADDR"])
    connection.request("POST", path, body, headers)
    status = connection.getresponse().status
    if status != 200:
        sys.exit(f"error: the platform responded with status {status}")


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    name = "extensionTelemetry.sh" if EXPECTED else "extensionHello.sh"
    headers = {
        "FunctionGraph-Extension-Name": name,
        "FunctionGraph-Extension-Address": f"127.0.0.1:{PORT}",
    }
    post("/extension/register", headers, "")
    if EXPECTED:
        subscription = {
            "subscriber": {"protocol": "POST", "uri": f"http://127.0.0.1:{PORT}"},
            "types": ["platform", "function", "extension"],
        }
        post("/telemetry", {"content-type": "application/json"}, json.dumps(subscription))
    server.serve_forever()


main()
