//! Tests of spans that the function's own SDK exports.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use serde_json::json;

use super::super::any_value;
use super::super::ids::TraceId;
use super::{Harness, ID, OTHER_ID, URN, at, attribute, nanos, text, time};
use crate::config::{SamplerConfig, SdkConfig};

/// A trace of the function.
const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const ROOT: u64 = 0x00f0_67aa_0ba9_02b7;
const CHILD: u64 = 0xb7ad_6b71_6920_3331;
/// A span in another service.
const UPSTREAM: u64 = 0xeee1_9b7e_c3c1_b174;

/// Flags as of SDKs that say whether the parent is in another process.
const LOCAL: u32 = 0x101;
const REMOTE: u32 = 0x301;

/// Returns a span that starts after `start` ms. A parent of 0 is none.
fn span(trace: u128, id: u64, parent: u64, start: u64) -> Span {
    let parent_span_id = match parent {
        0 => Vec::new(),
        parent => parent.to_be_bytes().into(),
    };
    Span {
        trace_id: trace.to_be_bytes().into(),
        span_id: id.to_be_bytes().into(),
        parent_span_id,
        name: format!("{id:x}"),
        flags: LOCAL,
        start_time_unix_nano: nanos(start),
        end_time_unix_nano: nanos(start + 1),
        ..Span::default()
    }
}

fn with_flags(flags: u32, span: Span) -> Span {
    Span { flags, ..span }
}

fn named(id: &str, mut span: Span) -> Span {
    span.attributes
        .push(any_value::attribute("faas.invocation_id", id));
    span
}

fn derived(id: &str) -> u128 {
    u128::from_be_bytes(TraceId::of(id).array())
}

impl Harness {
    /// Receives a request with these spans. Returns what becomes of them.
    fn receive<const N: usize>(&mut self, spans: [Span; N]) -> [Span; N] {
        let mut all = [ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: spans.into(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }];
        self.translator.correlate_spans(&mut all, self.now);
        let [mut resource] = all;
        resource.scope_spans.remove(0).spans.try_into().unwrap()
    }

    fn start_at(&mut self, id: &str, start: u64) {
        self.event(json!({"name": "platform.start", "startTime": time(start), "traceId": id}));
    }

    fn end_at(&mut self, id: &str, start: u64, end: u64) {
        self.event(json!({
            "name": "platform.runtimeDone", "startTime": time(start), "traceId": id, "status": "success",
        }));
        self.event(json!({
            "name": "platform.report", "startTime": time(start), "endTime": time(end), "traceId": id,
        }));
    }

    #[track_caller]
    fn last_span(&self) -> &Span {
        self.out.spans.last().unwrap()
    }
}

#[track_caller]
fn assert_child(child: &Span, parent: &Span) {
    assert_eq!(child.trace_id, parent.trace_id);
    assert_eq!(child.parent_span_id, parent.span_id);
    assert_eq!(child.flags & 0x300, 0x300);
}

#[track_caller]
fn assert_links(span: &Span, others: &[&Span]) {
    let ids = |trace_id: &Vec<u8>, span_id: &Vec<u8>| (trace_id.clone(), span_id.clone());
    let links = span.links.iter();
    let links: Vec<_> = links
        .map(|link| ids(&link.trace_id, &link.span_id))
        .collect();
    let others = others.iter();
    let others: Vec<_> = others.map(|it| ids(&it.trace_id, &it.span_id)).collect();
    assert_eq!(links, others);
}

#[test]
fn invocation_joins_the_trace_of_the_function() {
    // Node and Java set the W3C flags, Python does not, and older SDKs set none.
    for flags in [LOCAL, 0x100, 0] {
        let mut harness = Harness::new();
        harness.event(json!({"name": "platform.initReport", "startTime": time(0), "endTime": time(1), "traceId": ID}));
        harness.start_at(ID, 1);
        let sent = [
            with_flags(flags, span(TRACE, CHILD, ROOT, 6)),
            with_flags(flags, span(TRACE, ROOT, 0, 5)),
        ];
        let [child, root] = harness.receive(sent.clone());
        assert_eq!(child, sent[0]);
        harness.end_at(ID, 1, 20);
        let [invocation, init] = &harness.out.spans[..] else {
            panic!("{:?}", harness.out.spans);
        };
        assert_child(&root, invocation);
        assert_eq!(root.links, []);
        assert_eq!(invocation.trace_id, TRACE.to_be_bytes());
        assert_eq!(invocation.span_id, TraceId::of(ID).root_span_id());
        assert!(invocation.parent_span_id.is_empty());
        assert_eq!((invocation.flags, invocation.links.len()), (0x01, 0));
        assert_eq!(init.trace_id, invocation.trace_id);
        assert_eq!(init.parent_span_id, invocation.span_id);
        let id = attribute(&root.attributes, "faas.invocation_id");
        assert_eq!(id, Some(&text(ID)));
    }
}

#[test]
fn children_that_arrive_before_their_root_join_the_trace() {
    let mut harness = Harness::new();
    harness.start_at(ID, 0);
    // A batch of Python's `BatchSpanProcessor`: spans in the order of their ends.
    let sent = [span(TRACE, 0x11, CHILD, 7), span(TRACE, CHILD, ROOT, 6)];
    assert_eq!(harness.receive(sent.clone()), sent);
    harness.end_at(ID, 0, 20);
    // The root ends last, and arrives after the span of the invocation was emitted.
    harness.now = at(5_000);
    let [root] = harness.receive([span(TRACE, ROOT, 0, 5)]);
    assert_child(&root, harness.last_span());
    assert_eq!(root.links, []);
    let id = attribute(&root.attributes, "faas.invocation_id");
    assert_eq!(id, Some(&text(ID)));
}

#[test]
fn late_trace_is_linked_to_the_invocation() {
    let mut harness = Harness::new();
    harness.start_at(ID, 0);
    harness.end_at(ID, 0, 20);
    harness.now = at(5_000);
    let [child] = harness.receive([span(TRACE, CHILD, ROOT, 6)]);
    assert_eq!(child.links, []);
    let [root] = harness.receive([span(TRACE, ROOT, 0, 5)]);
    assert_links(&root, &[harness.last_span()]);
    assert!(root.parent_span_id.is_empty());
    let id = attribute(&root.attributes, "faas.invocation_id");
    assert_eq!(id, Some(&text(ID)));
    assert_eq!(harness.last_span().trace_id, TraceId::of(ID).bytes());
}

#[test]
fn both_roots_have_the_upstream_parent() {
    // An API gateway sends `traceparent`. Older SDKs do not say that the parent is in another process.
    let remote = with_flags(REMOTE, span(TRACE, ROOT, UPSTREAM, 5));
    let mut server = with_flags(0, span(TRACE, ROOT, UPSTREAM, 5));
    server.kind = SpanKind::Server.into();
    for root in [remote, server] {
        for is_child_first in [false, true] {
            let mut harness = Harness::new();
            harness.start_at(ID, 0);
            if is_child_first {
                harness.receive([span(TRACE, CHILD, ROOT, 6)]);
            }
            let [received] = harness.receive([root.clone()]);
            assert_eq!(received.parent_span_id, UPSTREAM.to_be_bytes());
            assert_eq!((received.flags, &received.links), (root.flags, &root.links));
            harness.end_at(ID, 0, 20);
            let invocation = harness.last_span();
            assert_eq!(invocation.trace_id, TRACE.to_be_bytes());
            assert_eq!(invocation.parent_span_id, UPSTREAM.to_be_bytes());
            assert_eq!(invocation.flags, 0x301);
        }
    }
}

#[test]
fn derived_parent_needs_no_change() {
    let trace = derived(ID);
    let parent = u64::from_be_bytes(TraceId::of(ID).root_span_id().try_into().unwrap());
    let sent = with_flags(REMOTE, span(trace, ROOT, parent, 5));
    for (is_late, flags) in [(false, REMOTE), (true, REMOTE), (false, 0)] {
        let sent = with_flags(flags, sent.clone());
        let mut harness = Harness::new();
        harness.start_at(ID, 0);
        if is_late {
            harness.end_at(ID, 0, 20);
        }
        let [root] = harness.receive([sent.clone()]);
        assert_eq!(root, named(ID, sent.clone()));
        if !is_late {
            // Another trace does not take the span away from its children.
            let [other] = harness.receive([span(TRACE, CHILD, 0, 6)]);
            assert!(other.parent_span_id.is_empty());
            harness.end_at(ID, 0, 20);
            assert_links(harness.last_span(), &[&other]);
        }
        assert_eq!(root.trace_id, harness.last_span().trace_id);
        assert_eq!(root.parent_span_id, harness.last_span().span_id);
        assert!(harness.last_span().parent_span_id.is_empty());
    }
    // The derived trace wins, even if another one arrived first.
    let mut harness = Harness::new();
    harness.start_at(ID, 0);
    let [other] = harness.receive([span(TRACE, CHILD, 0, 6)]);
    let [root] = harness.receive([sent]);
    harness.end_at(ID, 0, 20);
    assert_child(&root, harness.last_span());
    assert_links(harness.last_span(), &[&other]);
}

#[test]
fn derived_parent_is_that_of_the_run() {
    let trace = derived(ID);
    let parent = u64::from_be_bytes(TraceId::of(ID).root_span_id().try_into().unwrap());
    for is_late in [false, true] {
        let mut harness = Harness::new();
        for (start, id) in [(0, ROOT), (100, CHILD)] {
            harness.start_at(ID, start);
            if is_late {
                harness.end_at(ID, start, start + 20);
            }
            let sent = with_flags(REMOTE, span(trace, id, parent, start + 5));
            let [root] = harness.receive([sent]);
            if !is_late {
                harness.end_at(ID, start, start + 20);
            }
            assert_child(&root, harness.last_span());
            assert!(harness.last_span().parent_span_id.is_empty());
        }
        let [first, second] = &harness.out.spans[..] else {
            panic!("{:?}", harness.out.spans);
        };
        assert_ne!(first.span_id, second.span_id);
    }
    // An invocation of another function whose span the caller has derived.
    let mut harness = Harness::new();
    harness.start_at(OTHER_ID, 0);
    let sent = with_flags(REMOTE, span(trace, ROOT, parent, 5));
    let [root] = harness.receive([sent]);
    harness.end_at(OTHER_ID, 0, 20);
    for span in [&root, harness.last_span()] {
        assert_eq!(span.trace_id, trace.to_be_bytes());
        assert_eq!(span.parent_span_id, parent.to_be_bytes());
    }
}

#[test]
fn further_traces_are_linked() {
    let mut harness = Harness::new();
    harness.start_at(ID, 0);
    let [first] = harness.receive([span(TRACE, ROOT, 0, 5)]);
    // The root of the second trace arrives after its child.
    harness.receive([span(TRACE + 1, CHILD, ROOT + 1, 6)]);
    let [second] = harness.receive([span(TRACE + 1, ROOT + 1, 0, 6)]);
    for trace in 2..100 {
        harness.receive([span(TRACE + trace, ROOT, 0, 6)]);
    }
    harness.end_at(ID, 0, 20);
    let invocation = harness.last_span();
    assert_child(&first, invocation);
    assert!(second.parent_span_id.is_empty());
    assert_eq!(second.links, []);
    assert_eq!(invocation.links[0].span_id, second.span_id);
    assert_eq!(invocation.links.len(), 32);
    assert_eq!(invocation.dropped_links_count, 67);
}

#[test]
fn concurrent_invocations_are_distinguished_by_what_spans_name() {
    let mut harness = Harness::new();
    harness.start_at(ID, 0);
    harness.start_at(OTHER_ID, 1);
    // Only time says where this belongs, and it is ambiguous.
    let sent = [span(TRACE, ROOT, 0, 5)];
    assert_eq!(harness.receive(sent.clone()), sent);

    let mut with_old_name = span(TRACE + 1, ROOT, 0, 5);
    with_old_name
        .attributes
        .push(any_value::attribute("faas.execution", ID));
    let roots = [
        with_old_name,
        named(&OTHER_ID.to_uppercase(), span(TRACE + 2, ROOT, 0, 5)),
        span(derived(ID), CHILD, 0, 5),
    ];
    let [old, other, own] = harness.receive(roots);
    harness.end_at(OTHER_ID, 1, 20);
    assert_child(&other, harness.last_span());
    harness.end_at(ID, 0, 20);
    assert_child(&own, harness.last_span());
    assert_links(harness.last_span(), &[&old]);
}

#[test]
fn one_trace_can_contain_several_invocations() {
    let mut harness = Harness::new();
    let remote = |id, start| with_flags(REMOTE, span(TRACE, id, UPSTREAM, start));
    harness.start_at(ID, 0);
    harness.end_at(ID, 0, 20);
    harness.start_at(OTHER_ID, 100);
    // A batch contains spans of both invocations.
    let [first, second] = harness.receive([remote(1, 5), remote(2, 105)]);
    harness.end_at(OTHER_ID, 100, 120);
    let [earlier, later] = &harness.out.spans[..] else {
        panic!("{:?}", harness.out.spans);
    };
    assert_links(&first, &[earlier]);
    assert_links(&second, &[]);
    assert_eq!(later.trace_id, TRACE.to_be_bytes());
    for (span, id) in [(&first, ID), (&second, OTHER_ID)] {
        let invocation = attribute(&span.attributes, "faas.invocation_id");
        assert_eq!(invocation, Some(&text(id)));
    }
}

#[test]
fn only_local_roots_of_invocations_are_changed() {
    let mut harness = Harness::new();
    harness.start_at(ID, 100);
    harness.end_at(ID, 100, 120);
    let sent = [
        // Before and after the invocation.
        span(TRACE, 1, 0, 50),
        span(TRACE + 1, 2, 0, 121),
        // Invalid IDs.
        span(0, 3, 0, 105),
        span(TRACE, 0, 0, 105),
        Span {
            trace_id: vec![1; 15],
            ..span(TRACE, 4, 0, 105)
        },
        // The parent may arrive later.
        span(TRACE + 2, 5, 6, 105),
        with_flags(0, span(TRACE + 2, 7, 6, 105)),
        // An ID that is unknown.
        named("unknown", span(TRACE + 3, 8, 0, 50)),
    ];
    assert_eq!(harness.receive(sent.clone()), sent);
}

#[test]
fn batch_of_many_invocations_is_linked() {
    let mut harness = Harness::new();
    for number in 0..1_000 {
        let (id, start) = (format!("{number}"), number * 20);
        harness.start_at(&id, start);
        harness.end_at(&id, start, start + 19);
    }
    for number in [0, 500, 999] {
        let [root] = harness.receive([span(TRACE + u128::from(number), ROOT, 0, number * 20 + 1)]);
        let invocation = usize::try_from(number).unwrap();
        assert_links(&root, &[&harness.out.spans[invocation]]);
    }
}

#[test]
fn spans_may_arrive_before_the_platform_events() {
    let mut harness = Harness::new();
    harness.now = at(3);
    harness.invoked(ID, URN);
    let [root] = harness.receive([span(TRACE, ROOT, 0, 5)]);
    harness.start_at(ID, 0);
    harness.end_at(ID, 0, 20);
    assert_child(&root, harness.last_span());
}

#[test]
fn spans_may_arrive_before_anything_about_their_invocation() {
    let mut harness = Harness::new();
    // The first traces are those of the initialization, and too many of them are forgotten.
    for init in 1..100 {
        harness.receive([span(TRACE + init, ROOT, 0, 5)]);
    }
    let sent = [span(TRACE, CHILD, ROOT, 106), span(TRACE, ROOT, 0, 105)];
    assert_eq!(harness.receive(sent.clone()), sent);
    harness.start_at(ID, 100);
    harness.end_at(ID, 100, 120);
    assert_eq!(harness.last_span().trace_id, TRACE.to_be_bytes());
    assert_links(harness.last_span(), &[]);
    assert_eq!(harness.out.spans.len(), 1);
}

#[test]
fn late_spans_belong_to_the_earlier_invocation_while_the_next_one_lacks_its_start() {
    // The end is exact, or was cut to whole milliseconds.
    for start in [5, 300] {
        let mut harness = Harness::new();
        harness.start_at(ID, 0);
        harness.end_at(ID, 0, 300);
        harness.now = at(310);
        harness.invoked(OTHER_ID, URN);
        let mut late = span(TRACE, ROOT, 0, start);
        late.start_time_unix_nano += 1;
        let [root] = harness.receive([late]);
        assert_links(&root, &[harness.last_span()]);
        let id = attribute(&root.attributes, "faas.invocation_id");
        assert_eq!(id, Some(&text(ID)));
    }
    // Concurrent invocations may have been running both.
    let mut harness = Harness::new();
    harness.start_at("1", 0);
    harness.start_at("2", 1);
    harness.end_at("2", 1, 2);
    harness.end_at("1", 0, 300);
    harness.now = at(310);
    harness.invoked(OTHER_ID, URN);
    let [root] = harness.receive([span(TRACE, ROOT, 0, 5)]);
    assert_links(&root, &[]);
}

#[test]
fn times_of_the_platform_are_in_whole_milliseconds() {
    let after_end = |nanos: u64| {
        let mut root = span(TRACE, ROOT, 0, 20);
        root.start_time_unix_nano += nanos;
        root
    };
    for (root, is_bound) in [(after_end(999_999), true), (after_end(1_000_000), false)] {
        let mut harness = Harness::new();
        harness.start_at(ID, 0);
        harness.end_at(ID, 0, 20);
        let [root] = harness.receive([root]);
        let id = attribute(&root.attributes, "faas.invocation_id");
        assert_eq!(id, is_bound.then_some(&text(ID)));
    }
    // The next invocation started in the millisecond in which the first one ended.
    let mut harness = Harness::new();
    harness.start_at(ID, 0);
    harness.end_at(ID, 0, 20);
    harness.start_at(OTHER_ID, 20);
    let [root] = harness.receive([after_end(500_000)]);
    let id = attribute(&root.attributes, "faas.invocation_id");
    assert_eq!(id, Some(&text(OTHER_ID)));
}

#[test]
fn invocations_whose_events_are_lost_have_ended() {
    let mut harness = Harness::new();
    for (id, millis) in [("1", 0), ("2", 1_000), (ID, 2_000)] {
        harness.now = at(millis);
        harness.invoked(id, URN);
    }
    let [root] = harness.receive([span(TRACE, ROOT, 0, 2_005)]);
    let id = attribute(&root.attributes, "faas.invocation_id");
    assert_eq!(id, Some(&text(ID)));
    harness.event(json!({"type": "function", "time": time(2_006), "record": "hello"}));
    assert_eq!(harness.out.log_records[0].trace_id, TRACE.to_be_bytes());
}

#[test]
fn lines_of_the_function_join_its_trace() {
    let line = |flags: &str| {
        json!({
            "type": "function", "time": time(5), "record": {
                "trace_id": format!("{TRACE:032x}"), "span_id": format!("{CHILD:016x}"), "trace_flags": flags, "msg": "a",
            },
        })
    };
    // The second function has sampled its trace out, so none of its spans arrive.
    for flags in ["01", "00"] {
        let mut harness = Harness::new();
        harness.start_at(ID, 0);
        harness.event(line(flags));
        harness.event(json!({"type": "function", "time": time(6), "record": "b"}));
        harness.end_at(ID, 0, 20);
        let [own, bound] = &harness.out.log_records[..] else {
            panic!("{:?}", harness.out.log_records);
        };
        let invocation = harness.last_span();
        assert_eq!(invocation.trace_id, TRACE.to_be_bytes());
        assert_eq!(invocation.flags, 0x01);
        assert_eq!(own.span_id, CHILD.to_be_bytes());
        assert_eq!(bound.trace_id, invocation.trace_id);
        assert_eq!(bound.span_id, invocation.span_id);
        // The root arrives later.
        let [root] = harness.receive([span(TRACE, ROOT, 0, 5)]);
        assert_child(&root, harness.last_span());
    }
    // An extension has its own traces.
    let mut harness = Harness::new();
    harness.start_at(ID, 0);
    let mut line = line("01");
    line["type"] = "extension".into();
    harness.event(line);
    harness.end_at(ID, 0, 20);
    assert_eq!(harness.last_span().trace_id, TraceId::of(ID).bytes());
}

#[test]
fn span_is_sampled_if_that_of_the_function_is() {
    for (is_parent_based, trace, is_sent) in [
        (true, Some(TRACE), true),
        // The recipe: the function derives its trace from the ID of the invocation.
        (true, Some(derived(ID)), true),
        (true, None, false),
        (false, Some(TRACE), false),
    ] {
        let mut harness = Harness::new();
        let sampler = SamplerConfig {
            ratio: 0.0,
            is_parent_based,
        };
        harness.translator = harness.translator.with_sdk(SdkConfig {
            sampler,
            ..SdkConfig::default()
        });
        harness.event(json!({"name": "platform.initStart", "startTime": time(0), "traceId": ID}));
        harness.event(json!({"name": "platform.initReport", "startTime": time(0), "traceId": ID}));
        harness.invoked(ID, URN);
        harness.start_at(ID, 1);
        if let Some(trace) = trace {
            // This SDK leaves out the flag of a sampled trace.
            harness.receive([with_flags(0, named(ID, span(trace, ROOT, 0, 2)))]);
        }
        harness.end_at(ID, 1, 20);
        harness.finish();
        let mut names: Vec<_> = harness.out.spans.iter().map(|span| &span.name).collect();
        names.sort();
        let expected: &[&str] = match is_sent {
            true => &["hello", "init"],
            false => &[],
        };
        assert_eq!(names, expected, "{trace:?}");
        assert_eq!(harness.counts(), (1, 0));
    }
}

#[test]
fn invocation_that_is_not_sampled_is_no_parent() {
    for (ratio, has_parent) in [(0.0, false), (1.0, true)] {
        let mut harness = Harness::new();
        harness.translator = harness.translator.with_sdk(SdkConfig {
            sampler: SamplerConfig {
                ratio,
                is_parent_based: false,
            },
            ..SdkConfig::default()
        });
        harness.start_at(ID, 0);
        let [root] = harness.receive([span(TRACE, ROOT, 0, 5)]);
        harness.end_at(ID, 0, 20);
        assert_eq!(harness.out.spans.len(), usize::from(has_parent));
        assert_eq!(!root.parent_span_id.is_empty(), has_parent);
        let id = attribute(&root.attributes, "faas.invocation_id");
        assert_eq!(id, Some(&text(ID)));
    }
}
