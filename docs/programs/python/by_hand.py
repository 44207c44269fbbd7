"""The smallest extension by hand: registers, and prints each invocation. `docs/comparison.md` says what it lacks."""

import json
import os
import sys
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = "extensionHello.sh"
PORT = int(sys.argv[1])


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        invocation = json.loads(body)
        print(invocation["traceId"], "invoked", invocation["invokedFunctionUrn"], flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
platform = HTTPConnection(os.environ["EXTENSION_API_ADDR"])
headers = {
    "FunctionGraph-Extension-Name": NAME,
    "FunctionGraph-Extension-Address": f"127.0.0.1:{PORT}",
}
platform.request("POST", "/extension/register", headers=headers)
if platform.getresponse().status != 200:
    sys.exit("error: the platform rejected the registration")
server.serve_forever()
