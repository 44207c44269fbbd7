//! The sampler of spans (`OTEL_TRACES_SAMPLER`).

use super::ids::spread;
use crate::config::SamplerConfig;

/// Where the trace ID of a span is from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TraceSource {
    /// Derived from the ID of the invocation.
    Invocation,
    /// A trace of the function, whose tracer is known to have sampled it or not.
    Function { is_sampled: bool },
}

impl SamplerConfig {
    /// Returns whether the span with this trace ID is sent.
    ///
    /// The span of an invocation that is part of the function's trace is sent if the function's spans are: the function
    /// has the same settings, and most SDKs (Python, Go) compare the last eight bytes of the trace ID with the ratio.
    ///
    /// The ID of an invocation is a UUID, in which these bytes are not evenly distributed, so all bytes of it count.
    pub(super) fn is_sampled(self, trace_id: [u8; 16], source: TraceSource) -> bool {
        let number = match source {
            TraceSource::Function { is_sampled: true } if self.is_parent_based => return true,
            TraceSource::Function { .. } => u128::from_be_bytes(trace_id) as u64,
            TraceSource::Invocation => spread(trace_id),
        };
        // 2^64 for a ratio of 1, which is above all numbers.
        let bound = (self.ratio * 2.0_f64.powi(64)) as u128;
        u128::from(number) < bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(ratio: f64, is_parent_based: bool) -> SamplerConfig {
        SamplerConfig {
            ratio,
            is_parent_based,
        }
    }

    /// Returns a trace ID whose last eight bytes are this number.
    fn trace(number: u64) -> [u8; 16] {
        (u128::from(7_u8) << 64 | u128::from(number)).to_be_bytes()
    }

    #[test]
    fn ratio_compares_the_last_eight_bytes_of_a_trace_of_the_function() {
        let quarter = 1 << 62;
        for is_parent_based in [true, false] {
            let sampler = config(0.25, is_parent_based);
            let unknown = TraceSource::Function { is_sampled: false };
            assert!(sampler.is_sampled(trace(quarter - 1), unknown));
            assert!(!sampler.is_sampled(trace(quarter), unknown));
            let sampled = TraceSource::Function { is_sampled: true };
            assert_eq!(sampler.is_sampled(trace(quarter), sampled), is_parent_based);
        }
    }

    #[test]
    fn ratio_holds_for_uuids() {
        for ratio in [0.1, 0.6, 0.9] {
            let sampler = config(ratio, true);
            let is_sampled = |number: &u32| {
                let random = spread(trace(u64::from(*number)));
                let high = spread(trace(random));
                // The version and the variant are the same in all UUIDs.
                let id = uuid::Builder::from_random_bytes(
                    (u128::from(high) << 64 | u128::from(random)).to_be_bytes(),
                );
                sampler.is_sampled(id.into_uuid().into_bytes(), TraceSource::Invocation)
            };
            let sampled = (0..20_000).filter(is_sampled).count();
            let share = sampled as f64 / 20_000.0;
            assert!((share - ratio).abs() < 0.02, "{share} instead of {ratio}");
        }
    }

    #[test]
    fn always_on_and_always_off_need_no_ratio() {
        for number in [0, 1, 1 << 63, u64::MAX] {
            for source in [
                TraceSource::Invocation,
                TraceSource::Function { is_sampled: false },
            ] {
                assert!(config(1.0, false).is_sampled(trace(number), source));
                assert!(!config(0.0, true).is_sampled(trace(number), source));
            }
        }
    }
}
