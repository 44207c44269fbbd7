"""An extension on asyncio that shuts down as aiohttp, waitress and tornado do.

On SIGTERM it finishes the requests that it has received whole, and drops the connections with half a request.
FG_EXTENSION_PORT changes its port. With FAULT=raises-sigterm-again it exits as uvicorn does: once it has shut down in order, it
raises SIGTERM again, so that its parent sees the signal instead of an exit status.
"""

import asyncio
import http.client
import json
import os
import signal
import sys
import time

NAME = "extensionNightWatch.sh"
PORT = int(os.environ.get("FG_EXTENSION_PORT", "8081"))
# How long an event takes, so that one can be in flight.
HANDLER_SECONDS = 0.003


class Connection(asyncio.Protocol):
    """Serves one request after another on a connection."""

    open = set()

    def connection_made(self, transport):
        self.transport, self.buffer, self.task = transport, b"", None
        self.open.add(self)

    def connection_lost(self, _):
        self.open.discard(self)

    def data_received(self, data):
        self.buffer += data
        if self.task is None:
            self.start_if_whole()

    def start_if_whole(self):
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) >= length:
            self.buffer = rest[length:]
            self.task = asyncio.create_task(self.respond(line, rest[:length]))

    async def respond(self, line, body):
        status, value = await invoke(line, body)
        text = json.dumps(value).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        closing = "Connection: close\r\n" if stopping.is_set() else ""
        self.transport.write(f"{head}{closing}\r\n".encode() + text)
        self.task = None
        if stopping.is_set():
            self.transport.close()
        else:
            self.start_if_whole()


async def invoke(line, body):
    if not line.startswith("POST /extension/invoke "):
        return "404 Not Found", {"error": "expected POST /extension/invoke"}
    try:
        event = json.loads(body)
        trace_id = event["traceId"]
        if not isinstance(trace_id, str):
            raise ValueError("traceId must be a string")
    except (ValueError, KeyError, TypeError) as error:
        return "400 Bad Request", {"error": f"not a valid event: {error!r}"}
    await asyncio.sleep(HANDLER_SECONDS)
    return "200 OK", {"traceId": trace_id, "invokedFunctionUrn": event.get("invokedFunctionUrn")}


def register():
    headers = {
        "FunctionGraph-Extension-Name": NAME,
        "FunctionGraph-Extension-Address": f"127.0.0.1:{PORT}",
    }
    pause = 0.05
    for _ in range(8):
        try:
            connection = http.client.HTTPConnection(os.environ["EXTENSION_API_ADDR"], timeout=5)
            connection.request("POST", "/extension/register", headers=headers)
            response = connection.getresponse()
            problem = f"{response.status} {response.read()!r}"
            if response.status == 200:
                return
            if response.status < 500:
                break
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        finally:
            connection.close()
        time.sleep(pause)
        pause *= 2
    sys.exit(f"{NAME}: cannot register: {problem}")


async def main():
    global stopping
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    server = await loop.create_server(Connection, "127.0.0.1", PORT, backlog=128)
    await asyncio.to_thread(register)
    await stopping.wait()
    server.close()
    in_flight = [connection.task for connection in Connection.open if connection.task]
    for connection in list(Connection.open):
        if connection.task is None:
            connection.transport.close()
    if in_flight:
        await asyncio.wait(in_flight, timeout=2)


asyncio.run(main())
if os.environ.get("FAULT") == "raises-sigterm-again":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTERM)
