"""An extension that subscribes to telemetry, on its own port or on a second one.

With a second port, it subscribes when it has been invoked and the test has closed the connection to TEST_ADDR. It prints a
line for each telemetry event if LOOPS is set.
"""

import http.client
import json
import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = sys.argv[1]
PORT = int(sys.argv[2])
TELEMETRY_PORT = int(sys.argv[3]) if len(sys.argv) > 3 else PORT
invoked = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/" and "LOOPS" in os.environ:
            for event in json.loads(body):
                print("received", event.get("type"), flush=True)
        elif self.path != "/":
            invoked.set()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def post(path, headers, body):
    connection = http.client.HTTPConnection(os.environ["EXTENSION_API_ADDR"])
    connection.request("POST", path, body, headers)
    return connection.getresponse().status


signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
for port in {PORT, TELEMETRY_PORT}:
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"127.0.0.1:{PORT}"
post("/extension/register", {"FunctionGraph-Extension-Name": NAME, "FunctionGraph-Extension-Address": address}, "")
if TELEMETRY_PORT != PORT:
    invoked.wait()
    host, port = os.environ["TEST_ADDR"].split(":")
    socket.create_connection((host, int(port))).recv(1)
subscriber = {"protocol": "POST", "uri": f"http://127.0.0.1:{TELEMETRY_PORT}"}
status = post("/telemetry", {}, json.dumps({"subscriber": subscriber, "types": ["extension"]}))
print("subscribed with status", status, flush=True)
for number in range(int(os.environ.get("LINES", "0"))):
    print("line", number, flush=True)
signal.sigwait([signal.SIGTERM])
sys.exit(0)
