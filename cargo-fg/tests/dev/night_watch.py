"""An extension in another language. It prints its pid, and each event."""

import http.client
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = "extensionNightWatch.sh"


class Events(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        print("event", body.decode(), flush=True)
        status = int(os.environ.get("NIGHT_WATCH_STATUS", "200"))
        if status == 0:
            os._exit(3)
        self.send_response(status)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


port = int(os.environ["NIGHT_WATCH_PORT"])
server = ThreadingHTTPServer(("127.0.0.1", port), Events)
print("pid", os.getpid(), flush=True)
platform = http.client.HTTPConnection(os.environ["EXTENSION_API_ADDR"])
platform.request(
    "POST",
    "/extension/register",
    headers={
        "FunctionGraph-Extension-Name": NAME,
        "FunctionGraph-Extension-Address": f"127.0.0.1:{port}",
    },
)
if (answer := platform.getresponse()).status != 200:
    sys.exit(f"the registration was refused: {answer.read().decode()}")
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server.serve_forever()
