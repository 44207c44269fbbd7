// A FunctionGraph function whose spans are children of the span that the forwarder sends for the invocation.

import com.huawei.services.runtime.Context;
import io.opentelemetry.api.GlobalOpenTelemetry;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.context.Scope;

public class Index {
    /** Returns the span of the invocation, whose IDs are derived from the request ID. */
    static Span invocationSpan(Context context) {
        String digits = context.getRequestID().replace("-", "");
        return Span.wrap(SpanContext.createFromRemoteParent(
            digits, digits.substring(16), TraceFlags.getSampled(), TraceState.getDefault()));
    }

    public String handler(String event, Context context) {
        Span span = GlobalOpenTelemetry.getTracer("index").spanBuilder("handler")
            .setParent(invocationSpan(context).storeInContext(io.opentelemetry.context.Context.root())).startSpan();
        try (Scope scope = span.makeCurrent()) {
            return "hello";
        } finally {
            span.end();
        }
    }
}
