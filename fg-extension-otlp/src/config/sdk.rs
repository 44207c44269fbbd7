//! The settings of an OpenTelemetry SDK that have an effect on the forwarder, and those that have none.
//!
//! They are specified in <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>.

use fg_extension::{Error, Setting};

use super::settings::Settings;
use crate::diagnostic::Diagnostic;

/// What the forwarder honors of the settings of an SDK.
#[derive(Clone, Debug, Default)]
pub(crate) struct SdkConfig {
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`
    pub(crate) temporality: TemporalityPreference,
    /// `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`
    pub(crate) sampler: SamplerConfig,
    /// `OTEL_SPAN_…_LIMIT` and `OTEL_ATTRIBUTE_…_LIMIT`
    pub(crate) span_limits: AttributeLimits,
    /// `OTEL_LOGRECORD_…_LIMIT` and `OTEL_ATTRIBUTE_…_LIMIT`
    pub(crate) log_limits: AttributeLimits,
}

/// Which metrics are sent as the change since the last request, instead of as the total since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum TemporalityPreference {
    #[default]
    Cumulative,
    /// Counters and histograms.
    Delta,
    /// Counters and histograms, except for counters that are only read when they are sent.
    LowMemory,
}

/// Which spans are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SamplerConfig {
    /// The part of the traces whose spans are sent, from 0 to 1.
    pub(crate) ratio: f64,
    /// Whether the decision of the function's own tracer comes first.
    pub(crate) is_parent_based: bool,
}

impl Default for SamplerConfig {
    /// Returns the default of the specification, `parentbased_always_on`.
    fn default() -> Self {
        Self {
            ratio: 1.0,
            is_parent_based: true,
        }
    }
}

/// Limits for the attributes of each span or log record. Without a setting, there is none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct AttributeLimits {
    /// The maximum number of attributes.
    pub(crate) count: Option<usize>,
    /// The maximum length of a text, in characters.
    pub(crate) value_length: Option<usize>,
}

impl SdkConfig {
    pub(super) fn read(settings: &Settings<'_>) -> Self {
        let config = Self {
            temporality: settings
                .parse_or_warn(
                    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
                    temporality,
                )
                .unwrap_or_default(),
            sampler: sampler_config(settings),
            span_limits: AttributeLimits::read(settings, "OTEL_SPAN_ATTRIBUTE"),
            log_limits: AttributeLimits::read(settings, "OTEL_LOGRECORD_ATTRIBUTE"),
        };
        report_without_effect(settings);
        config
    }
}

impl AttributeLimits {
    /// Reads the limits of one kind of record, or else those for all kinds.
    fn read(settings: &Settings<'_>, prefix: &str) -> Self {
        let limit = |suffix: &str| {
            [prefix, "OTEL_ATTRIBUTE"]
                .into_iter()
                .find_map(|prefix| settings.parse_or_warn(&format!("{prefix}_{suffix}"), limit))
        };
        Self {
            count: limit("COUNT_LIMIT"),
            value_length: limit("VALUE_LENGTH_LIMIT"),
        }
    }
}

/// Parses a preference for the temporality of metrics.
fn temporality(setting: &Setting) -> Result<TemporalityPreference, Error> {
    match setting.value().to_ascii_lowercase().as_str() {
        "cumulative" => Ok(TemporalityPreference::Cumulative),
        "delta" => Ok(TemporalityPreference::Delta),
        "lowmemory" => Ok(TemporalityPreference::LowMemory),
        _ => Err(setting
            .invalid(
                "is not a temporality preference",
                "write `cumulative`, `delta` or `lowmemory`",
            )
            .into()),
    }
}

fn sampler_config(settings: &Settings<'_>) -> SamplerConfig {
    let Some(kind) = settings.parse_or_warn("OTEL_TRACES_SAMPLER", sampler) else {
        return SamplerConfig::default();
    };
    SamplerConfig {
        ratio: match kind.ratio {
            Some(ratio) => ratio,
            // The specification defines 1.0 for a missing or invalid argument.
            None => settings
                .parse_or_warn("OTEL_TRACES_SAMPLER_ARG", ratio)
                .unwrap_or(1.0),
        },
        is_parent_based: kind.is_parent_based,
    }
}

/// The name of a sampler.
struct SamplerKind {
    /// `None` if the ratio is in `OTEL_TRACES_SAMPLER_ARG`.
    ratio: Option<f64>,
    is_parent_based: bool,
}

/// Parses the name of a sampler.
fn sampler(setting: &Setting) -> Result<SamplerKind, Error> {
    let value = setting.value().to_ascii_lowercase();
    let (is_parent_based, root) = match value.strip_prefix("parentbased_") {
        Some(root) => (true, root),
        None => (false, value.as_str()),
    };
    let ratio = match root {
        "always_on" => Some(1.0),
        "always_off" => Some(0.0),
        "traceidratio" => None,
        _ => {
            let hint = "write `always_on`, `always_off`, `traceidratio`, or one of them with the prefix `parentbased_`";
            return Err(setting.invalid("is not a supported sampler", hint).into());
        }
    };
    Ok(SamplerKind {
        ratio,
        is_parent_based,
    })
}

/// Parses the part of the traces that are sampled.
fn ratio(setting: &Setting) -> Result<f64, Error> {
    let ratio = setting.value().parse().ok();
    ratio
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| {
            setting
                .invalid(
                    "is not a number from 0 to 1",
                    "write a number such as `0.25`",
                )
                .into()
        })
}

/// Parses a limit.
fn limit(setting: &Setting) -> Result<usize, Error> {
    setting.value().parse().map_err(|_| {
        setting
            .invalid("is not a limit", "write a whole number such as `128`")
            .into()
    })
}

/// Settings of an SDK that the forwarder does not read.
const WITHOUT_EFFECT: [&str; 22] = [
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BLRP_SCHEDULE_DELAY",
    "OTEL_BLRP_EXPORT_TIMEOUT",
    "OTEL_BLRP_MAX_QUEUE_SIZE",
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
    "OTEL_METRICS_EXEMPLAR_FILTER",
    "OTEL_EXPORTER_OTLP_INSECURE",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_PROPAGATORS",
    "OTEL_LOG_LEVEL",
    "OTEL_ENTITIES",
    "OTEL_CONFIG_FILE",
    "OTEL_EXPERIMENTAL_CONFIG_FILE",
    "OTEL_SEMCONV_STABILITY_OPT_IN",
];

/// Names the settings that are set and have no effect, in one line. It is not a warning, because they may be meant for an
/// SDK inside the function.
fn report_without_effect(settings: &Settings<'_>) {
    let is_set = |name: &str| settings.get(name).is_ok_and(|setting| setting.is_some());
    let mut names: Vec<&str> = WITHOUT_EFFECT
        .into_iter()
        .filter(|name| is_set(name))
        .collect();
    // Any other value than the default has no effect.
    let aggregation = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    if let Ok(Some(setting)) = settings.get(aggregation)
        && !setting
            .value()
            .eq_ignore_ascii_case("explicit_bucket_histogram")
    {
        names.push(aggregation);
    }
    if !names.is_empty() {
        settings.report(Diagnostic::Info(format!(
            "these settings have no effect on the forwarder: {}; FG_OTLP_FLUSH and FG_OTLP_FLUSH_INTERVAL set when data is sent, \
             FG_OTLP_BUFFER how much waits, and FG_LOG the log level; histograms have explicit buckets",
            names.join(", ")
        )));
    }
}
