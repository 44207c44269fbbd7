// A FunctionGraph function whose spans are children of the span that the forwarder sends for the invocation.

const { propagation, ROOT_CONTEXT, trace } = require("@opentelemetry/api");

// Returns the span of the invocation, whose IDs are derived from the request ID.
function invocationSpan(context) {
  const digits = context.getRequestID().replaceAll("-", "");
  return propagation.extract(ROOT_CONTEXT, { traceparent: `00-${digits}-${digits.slice(16)}-01` });
}

exports.handler = (event, context) =>
  trace.getTracer("index").startActiveSpan("handler", {}, invocationSpan(context), async (span) => {
    try {
      return { statusCode: 200, body: "hello" };
    } finally {
      span.end();
    }
  });
