"""A function in Python with the real OpenTelemetry SDK, as a custom runtime (D functiongraph_01_0406).

MODE selects how its spans are related to its invocation:
  recipe: they are children of its span, by the lines that the guide shows
  joined: they are in a trace of their own, which is flushed before the function returns
  linked: they are in a trace of their own, which is sent later
"""

import importlib.util
import json
import logging
import os
import urllib.request

from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

MODE = os.environ["MODE"]

tracer_provider = TracerProvider()
tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(tracer_provider)
logger_provider = LoggerProvider()
logger_provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
set_logger_provider(logger_provider)
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
logging.getLogger("shop").addHandler(LoggingHandler(logger_provider=logger_provider))

orders = metrics.get_meter("shop").create_counter("shop.orders")
logger = logging.getLogger("shop")


class Context:
    """The part of the platform's context that the example uses."""

    def __init__(self, request_id):
        self.request_id = request_id

    def getRequestID(self):
        return self.request_id


def example():
    """Returns the example of the guide."""
    spec = importlib.util.spec_from_file_location("index", os.environ["EXAMPLE"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


index = example()


def handler(event, context):
    parent = index.invocation_span(context) if MODE == "recipe" else None
    tracer = trace.get_tracer("shop")
    with tracer.start_as_current_span("handler", parent):
        with tracer.start_as_current_span("query"):
            logger.warning("no stock left")
        orders.add(1)
    response = index.handler(event, context) if MODE == "recipe" else {"statusCode": 200}
    if MODE == "joined":
        tracer_provider.force_flush()
    return response


def call(path, body=None, headers={}):
    url = f"http://{os.environ['RUNTIME_API_ADDR']}/v1/runtime/invocation/{path}"
    return urllib.request.urlopen(urllib.request.Request(url, body, headers))


while True:
    with call("request") as request:
        request_id = request.headers["X-Cff-Request-Id"]
        event = json.load(request)
    response = handler(event, Context(request_id))
    call(f"response/{request_id}", json.dumps(response).encode()).close()
