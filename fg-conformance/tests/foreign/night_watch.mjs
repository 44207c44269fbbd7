// An extension for Node, written with its standard library only.
//
// FG_EXTENSION_PORT changes its port. FAULT selects one fault, for example "all-interfaces".

import fs from 'node:fs';
import http from 'node:http';

const NAME = 'extensionNightWatch.sh';
const FAULT = process.env.FAULT ?? '';
const PORT = Number(process.env.FG_EXTENSION_PORT ?? 8081);
const kept = [];

// How long an event takes, so that one can be in flight. Timers that expire while the process is stopped fire before a signal is
// handled, so the fault needs a longer time than the stop.
const HANDLER_MS = { slow: 1500, 'exits-at-once': 3000 }[FAULT] ?? 3;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function invoke(request) {
  if (request.method !== 'POST' || request.url !== '/extension/invoke') {
    return [404, { error: 'expected POST /extension/invoke' }];
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  let event;
  try {
    event = JSON.parse(text);
  } catch (error) {
    // Nobody catches this error, so Node exits with status 1.
    if (FAULT === 'unhandled-rejection') Promise.reject(error);
    return [400, { error: `not JSON: ${error.message}` }];
  }
  if (typeof event?.traceId !== 'string') return [400, { error: 'traceId must be a string' }];
  if (FAULT === 'keeps-memory') kept.push(new Array(8000).fill(event.traceId));
  if (FAULT === 'keeps-descriptor') kept.push(fs.openSync('/dev/null'));
  await sleep(HANDLER_MS);
  return [200, { traceId: event.traceId, invokedFunctionUrn: event.invokedFunctionUrn }];
}

const server = http.createServer(async (request, response) => {
  let result;
  try {
    result = await invoke(request);
  } catch {
    // The client has closed the connection before the request was complete.
    return;
  }
  const [status, value] = result;
  const text = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
});

async function register() {
  let pause = 50;
  let problem;
  for (let attempt = 0; attempt < 8; attempt += 1) {
    try {
      const response = await fetch(`http://${process.env.EXTENSION_API_ADDR}/extension/register`, {
        method: 'POST',
        headers: {
          'FunctionGraph-Extension-Name': NAME,
          'FunctionGraph-Extension-Address': `127.0.0.1:${PORT}`,
        },
      });
      problem = `${response.status} ${await response.text()}`;
      if (response.status === 200) return;
      if (response.status < 500) break;
    } catch (error) {
      problem = error;
    }
    await sleep(pause);
    pause *= 2;
  }
  console.error(`${NAME}: cannot register:`, problem);
  process.exit(1);
}

process.on('SIGTERM', () => {
  if (FAULT === 'exits-at-once') process.exit(0);
  server.close(() => process.exit(0));
  // A client that keeps its connection open must not delay the exit for long.
  setTimeout(() => process.exit(0), 1500).unref();
});
// Without a host, Node listens on `::`, which includes all interfaces.
server.listen({ port: PORT, host: FAULT === 'all-interfaces' ? undefined : '127.0.0.1', backlog: 128 }, register);
if (FAULT === 'polls') {
  setInterval(() => {
    const end = Date.now() + 50;
    while (Date.now() < end);
  }, 10);
}
