"""A function that returns the report of platform-probe, and what the function itself sees.

For an event function of Python 3.6 or later, with the handler index.handler. It reports names, and no values. Fields of the event, all
of them optional: "port" (of the extension), "file" (with the report), "wait" (seconds that the handler takes), "fail" (true: the handler raises an
exception).
"""

import http.client
import os
import platform
import re
import time
import urllib.request

# Not through a proxy that the environment names.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def handler(event, context):
    event = event if isinstance(event, dict) else {}
    address = "http://127.0.0.1:%d/probe/" % event.get("port", 8090)
    file = event.get("file", "/tmp/platform-probe.md")
    request_id = context.getRequestID().encode()
    started = ask(address + "started", request_id)
    print("platform-probe: this line is from the function")
    time.sleep(event.get("wait", 0))
    ask(address + "finished", request_id)
    if event.get("fail"):
        raise RuntimeError("platform-probe: this invocation fails, as the event asks for")
    report = ask(address + "report", None)
    source = "the port of the extension" if started is not None else "the file"
    if report is None:
        source = "the file"
        report = read(file)
    if report is None:
        report = "# The function finds no report: neither at the port of the extension, nor in the file\n"
        source = "nowhere"
    return report + "\n".join(own_section(source, file)) + "\n"


def ask(url, body):
    """Returns the response, or None if the extension cannot be reached."""
    try:
        with opener.open(url, data=body, timeout=1) as response:
            return response.read().decode()
    except (OSError, ValueError, http.client.HTTPException):
        return None


def read(file):
    try:
        with open(file, encoding="utf-8") as opened:
            return opened.read()
    # ValueError: it is not UTF-8, such as the name of a process.
    except (OSError, ValueError):
        return None


def own_section(source, file):
    yield ""
    yield "## 6. What the function sees"
    yield ""
    yield "| question | observed |"
    yield "| --- | --- |"
    yield "| where the report was found | %s |" % source
    yield "| the file of the extension | %s |" % ("readable" if os.access(file, os.R_OK) else "not readable")
    yield "| uid, gid | %d, %d |" % (os.getuid(), os.getgid())
    yield "| the process of the extension | %s |" % describe_extension()
    yield "| libc | %s |" % " ".join(platform.libc_ver())
    yield "| Python | %s |" % ".".join(platform.python_version_tuple()[:2])
    names = sorted(name if is_name(name) else "(a name)" for name in os.environ)
    yield "| names of environment variables | %s |" % ", ".join(names)


def is_name(name):
    """As in src/redact.rs: whether it is a name, and no part of it looks like an ID."""
    if not re.match(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z", name) or re.search(r"[0-9]{6}|(?=[a-f]*[0-9])[0-9a-f]{8}", name, re.I):
        return False
    changes = r"(?<=[0-9])[A-Za-z]|(?<=[A-Za-z])[0-9]"
    for part in re.split("[_-]", name):
        count = len(re.findall(changes, part))
        if count >= 4 or len(part) > (16 if count else 32):
            return False
    return True


def describe_extension():
    try:
        processes = os.listdir("/proc")
    except OSError:
        return "/proc is not readable"
    for process in filter(str.isdigit, processes):
        # The kernel cuts the name of a process off after 15 bytes.
        if (read("/proc/%s/comm" % process) or "").strip() == "platform-probe":
            readable = can_open("/proc/%s/environ" % process)
            return "visible; its environment is " + ("readable" if readable else "not readable")
    return "not visible"


def can_open(file):
    try:
        open(file, "rb").close()
        return True
    except OSError:
        return False
