// The jobs of the benchmarks on Node's http module: prints each invocation, or, if BENCH_EVENTS is set, subscribes to
// telemetry and counts the events by kind.
'use strict';
const http = require('http');

const PORT = 8081;
const expected = Number(process.env.BENCH_EVENTS ?? 0);
const kinds = {};
let events = 0;
let traceIdBytes = 0;

function invoke(body) {
  const invocation = JSON.parse(body);
  console.log(`${invocation.traceId} invoked ${invocation.invokedFunctionUrn}`);
  return JSON.stringify(invocation);
}

function telemetry(body) {
  for (const event of JSON.parse(body)) {
    kinds[event.name] = (kinds[event.name] ?? 0) + 1;
    traceIdBytes += event.traceId.length;
    events += 1;
    if (events === expected) {
      console.log('done', JSON.stringify(kinds), traceIdBytes);
    }
  }
  return '';
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const body = (expected ? telemetry : invoke)(Buffer.concat(parts).toString());
    response.writeHead(200, { 'content-length': Buffer.byteLength(body) });
    response.end(body);
  });
});

function post(path, headers, body, then) {
  const [host, port] = process.env.EXTENSION_API_ADDR.split(':');
  const request = http.request({ host, port, path, method: 'POST', headers, agent: false }, (response) => {
    if (response.statusCode !== 200) {
      throw new Error(`the platform responded with ${response.statusCode}`);
    }
    response.resume();
    then();
  });
  request.end(body);
}

server.listen(PORT, '127.0.0.1', () => {
  const headers = {
    'FunctionGraph-Extension-Name': expected ? 'extensionTelemetry.sh' : 'extensionHello.sh',
    'FunctionGraph-Extension-Address': `127.0.0.1:${PORT}`,
  };
  post('/extension/register', headers, '', () => {
    if (expected) {
      const body = {
        subscriber: { protocol: 'POST', uri: `http://127.0.0.1:${PORT}` },
        types: ['platform', 'function', 'extension'],
      };
      post('/telemetry', { 'content-type': 'application/json' }, JSON.stringify(body), () => {});
    }
  });
});
process.on('SIGTERM', () => process.exit(0));
