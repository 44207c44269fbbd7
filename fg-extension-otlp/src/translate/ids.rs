//! Trace and span IDs, derived from the platform's `traceId`.

use uuid::Uuid;

/// The trace ID of an invocation, derived from the platform's `traceId`, so that the ID alone identifies the span.
///
/// A UUID (the example on the page, D 2707), in upper or lower case and with or without dashes, is used as the trace
/// ID. Any other text (?) is hashed, and the hash is stable.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct TraceId([u8; 16]);

impl TraceId {
    /// Derives the trace ID from the platform's `traceId`.
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim();
        match Uuid::try_parse(text) {
            // A trace ID of zero is invalid.
            Ok(uuid) if !uuid.is_nil() => Self(uuid.into_bytes()),
            _ => Self(mix(fnv_1a_128(text.as_bytes())).max(1).to_be_bytes()),
        }
    }

    /// Refers to a trace by the bytes of its ID.
    pub(super) fn from_array(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(super) fn array(self) -> [u8; 16] {
        self.0
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Returns the span ID of the invocation: the last 8 bytes of the trace ID, so that the function can derive the
    /// parent of its spans from the ID of the invocation alone. They are never zero in a UUID of RFC 9562.
    pub(super) fn root_span_id(self) -> Vec<u8> {
        let (_, last) = self.0.split_at(8);
        match last.iter().all(|byte| *byte == 0) {
            true => self.child_span_id(""),
            false => last.to_vec(),
        }
    }

    /// Returns the ID of the span with this name within the invocation.
    pub(super) fn child_span_id(self, name: &str) -> Vec<u8> {
        let bytes = self.0.iter().chain(name.as_bytes());
        fnv_1a_64(bytes).max(1).to_be_bytes().to_vec()
    }
}

/// Returns a number that depends on all bytes of a trace ID. It is evenly distributed even if some of them are not.
pub(super) fn spread(trace_id: [u8; 16]) -> u64 {
    (mix(u128::from_be_bytes(trace_id)) >> 64) as u64
}

fn fnv_1a_128(bytes: &[u8]) -> u128 {
    bytes
        .iter()
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
            (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        })
}

/// Makes every bit depend on every other bit. Samplers use only some of the bits, and in FNV the last byte changes few
/// bits.
fn mix(mut hash: u128) -> u128 {
    for _ in 0..2 {
        hash ^= hash >> 67;
        hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    }
    hash ^ (hash >> 71)
}

fn fnv_1a_64<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::{TraceId, fnv_1a_64, fnv_1a_128};

    #[test]
    fn uuid_in_any_form_is_the_trace_id() {
        let trace = TraceId::of("3da1f2dc-3222-475e-9205-e2e6c6318895");
        assert_eq!(
            trace.bytes(),
            0x3da1_f2dc_3222_475e_9205_e2e6_c631_8895_u128.to_be_bytes()
        );
        for text in [
            "3DA1F2DC-3222-475E-9205-E2E6C6318895",
            "3da1f2dc3222475e9205e2e6c6318895",
            " 3da1f2dc-3222-475e-9205-e2e6c6318895 ",
        ] {
            assert_eq!(TraceId::of(text), trace, "{text}");
        }
    }

    #[test]
    fn span_id_of_an_invocation_is_the_end_of_its_trace_id() {
        let trace = TraceId::of("3da1f2dc-3222-475e-9205-e2e6c6318895");
        assert_eq!(
            trace.root_span_id(),
            0x9205_e2e6_c631_8895_u64.to_be_bytes()
        );
    }

    /// The guide shows functions that derive the IDs of the span of their invocation.
    #[test]
    fn functions_derive_the_same_ids() {
        let root = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../examples/otlp-forwarder/functions/"
        );
        let read = |name: &str| std::fs::read_to_string([root, name].concat()).unwrap();
        let id = "3da1f2dc-3222-475e-9205-e2e6c6318895";
        let digits = id.replace('-', "");
        // How each language writes all digits, and the last 16 of them.
        for (file, first, all, last) in [
            ("index.py", "\"00-", "{digits}", "{digits[16:]}"),
            ("index.js", "`00-", "${digits}", "${digits.slice(16)}"),
        ] {
            let text = read(file);
            let traceparent = text.lines().find_map(|line| line.split_once(first));
            let (_, traceparent) = traceparent.unwrap();
            let (traceparent, _) = traceparent.split_once(['"', '`']).unwrap();
            let traceparent = traceparent
                .replace(all, &digits)
                .replace(last, &digits[16..]);
            let trace = TraceId::of(id);
            let [trace_id, span_id] = [trace.bytes(), trace.root_span_id()].map(|bytes| {
                let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
                digits.collect::<String>()
            });
            assert_eq!(traceparent, format!("{trace_id}-{span_id}-01"), "{file}");
        }
        let java = read("Index.java");
        assert!(java.contains("digits, digits.substring(16), TraceFlags.getSampled()"));
    }

    #[test]
    fn any_other_text_is_hashed() {
        // The published offset basis, and the published hash of "a".
        assert_eq!(fnv_1a_128(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(fnv_1a_128(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(fnv_1a_64(b"a".iter()), 0xaf63_dc4c_8601_ec8c);

        assert_eq!(TraceId::of("request 1"), TraceId::of("request 1"));
        assert_ne!(TraceId::of("request 1"), TraceId::of("request 2"));
        // The hash is stable across versions, so that a trace can continue.
        assert_eq!(
            TraceId::of("a").bytes(),
            0x2dd8_6738_4609_b719_7e5c_9ec1_ab19_13f9_u128.to_be_bytes()
        );
    }

    #[test]
    fn ids_are_never_zero() {
        for text in [
            "",
            "00000000-0000-0000-0000-000000000000",
            "3da1f2dc-3222-475e-0000-000000000000",
        ] {
            let trace = TraceId::of(text);
            assert_ne!(trace.bytes(), [0; 16]);
            assert_ne!(trace.root_span_id(), [0; 8]);
        }
    }

    #[test]
    fn span_ids_of_a_trace_differ() {
        let trace = TraceId::of("1");
        assert_eq!(trace.root_span_id(), TraceId::of("1").root_span_id());
        assert_eq!(trace.root_span_id().len(), 8);
        assert_ne!(trace.root_span_id(), trace.child_span_id("init"));
        assert_ne!(trace.child_span_id("restore"), trace.child_span_id("init"));
        assert_ne!(trace.root_span_id(), TraceId::of("2").root_span_id());
    }
}
