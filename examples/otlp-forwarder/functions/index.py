"""A FunctionGraph function whose spans are children of the span that the forwarder sends for the invocation."""

from opentelemetry import propagate, trace


def invocation_span(context):
    """Returns the span of the invocation, whose IDs are derived from the request ID."""
    digits = context.getRequestID().replace("-", "")
    return propagate.extract({"traceparent": f"00-{digits}-{digits[16:]}-01"})


def handler(event, context):
    with trace.get_tracer(__name__).start_as_current_span("handler", invocation_span(context)):
        return {"statusCode": 200, "body": "hello"}
