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
            span_limits: AttributeLimits::read(
                settings,
                "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
                "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            ),
            log_limits: AttributeLimits::read(
                settings,
                "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
                "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            ),
        };
        report_without_effect(settings);
        config
    }
}

impl AttributeLimits {
    /// Reads the limits of one kind of record, or else those for all kinds.
    fn read(settings: &Settings<'_>, count: &str, value_length: &str) -> Self {
        let first = |names: [&str; 2]| {
            let mut names = names.into_iter();
            names.find_map(|name| settings.parse_or_warn(name, limit))
        };
        Self {
            count: first([count, "OTEL_ATTRIBUTE_COUNT_LIMIT"]),
            value_length: first([value_length, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"]),
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
const WITHOUT_EFFECT: [&str; 21] = [
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

/// Names the settings that are set and have no effect, in one line. It is not an error, because they may be meant for an
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
        settings.report(Diagnostic::Warning(format!(
            "these settings have no effect on the forwarder: {}; FG_OTLP_FLUSH and FG_OTLP_FLUSH_INTERVAL set when data is sent, \
             FG_OTLP_BUFFER how much waits, and FG_LOG the log level; histograms have explicit buckets",
            names.join(", ")
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(variables: &[(&str, &str)]) -> Result<Config, Error> {
        let variable = |name: &str| {
            let mut variables = variables.iter();
            let found = variables.find(|(variable, _)| *variable == name);
            found.map(|(_, value)| *value)
        };
        Config::from_variables(variable).map(|config| config.unwrap())
    }

    /// Reads a configuration with these variables, which must all be valid.
    fn sdk(variables: &[(&str, &str)]) -> SdkConfig {
        let config = read(variables).unwrap();
        assert_eq!(config.diagnostics, []);
        config.sdk
    }

    /// Reads a configuration with a variable that is not valid, and returns the warning.
    fn warning(variables: &[(&str, &str)]) -> (SdkConfig, String) {
        let config = read(variables).unwrap();
        match &*config.diagnostics {
            [Diagnostic::Warning(warning)] => (config.sdk, warning.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn temporality_is_one_of_three() {
        let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        for (value, expected) in [
            ("", TemporalityPreference::Cumulative),
            ("Cumulative", TemporalityPreference::Cumulative),
            ("DELTA", TemporalityPreference::Delta),
            ("lowMemory", TemporalityPreference::LowMemory),
        ] {
            assert_eq!(sdk(&[(name, value)]).temporality, expected, "{value}");
        }
        let (config, warning) = warning(&[(name, "deltas")]);
        assert_eq!(config.temporality, TemporalityPreference::Cumulative);
        assert_eq!(
            warning,
            format!(
                "cannot read {name} from the environment: `deltas` is not a temporality preference; \
                 write `cumulative`, `delta` or `lowmemory`; the setting is ignored"
            )
        );
    }

    #[test]
    fn sampler_has_a_ratio() {
        for (name, argument, ratio, is_parent_based) in [
            ("", "0.5", 1.0, true),
            ("always_on", "0.5", 1.0, false),
            ("always_off", "", 0.0, false),
            ("traceidratio", "0.25", 0.25, false),
            ("traceidratio", "", 1.0, false),
            ("parentbased_always_on", "", 1.0, true),
            ("parentbased_always_off", "", 0.0, true),
            ("ParentBased_TraceIdRatio", "1e-3", 0.001, true),
        ] {
            let variables = [
                ("OTEL_TRACES_SAMPLER", name),
                ("OTEL_TRACES_SAMPLER_ARG", argument),
            ];
            let expected = SamplerConfig {
                ratio,
                is_parent_based,
            };
            assert_eq!(sdk(&variables).sampler, expected, "{name}");
        }
        for argument in ["1.5", "-0.1", "NaN", "half"] {
            let (config, warning) = warning(&[
                ("OTEL_TRACES_SAMPLER", "traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", argument),
            ]);
            assert!(config.sampler.ratio >= 1.0);
            assert!(
                warning.contains("is not a number from 0 to 1; write"),
                "{warning}"
            );
        }
        for sampler in ["jaeger_remote", "parentbased_xray", "on"] {
            let (config, warning) = warning(&[("OTEL_TRACES_SAMPLER", sampler)]);
            assert_eq!(config.sampler, SamplerConfig::default());
            assert!(
                warning.contains(&format!("`{sampler}` is not a supported sampler; write")),
                "{warning}"
            );
        }
    }

    #[test]
    fn limits_of_one_kind_of_record_come_first() {
        let limits = |count, value_length| AttributeLimits {
            count,
            value_length,
        };
        assert_eq!(sdk(&[]).span_limits, limits(None, None));
        let config = sdk(&[
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "10"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "100"),
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "20"),
            ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "0"),
        ]);
        assert_eq!(config.span_limits, limits(Some(20), Some(100)));
        assert_eq!(config.log_limits, limits(Some(10), Some(0)));
        let (config, warning) = warning(&[("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "-1")]);
        assert_eq!(config.span_limits, limits(None, None));
        assert!(
            warning.contains("`-1` is not a limit; write a whole number"),
            "{warning}"
        );
    }

    #[test]
    fn settings_without_an_effect_are_named_in_one_line() {
        let histograms = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
        sdk(&[
            (histograms, "Explicit_Bucket_Histogram"),
            ("OTEL_PROPAGATORS", ""),
        ]);
        let config = read(&[
            (histograms, "base2_exponential_bucket_histogram"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "secret"),
            ("OTEL_BSP_SCHEDULE_DELAY", "5000"),
        ]);
        let [Diagnostic::Warning(line)] = &*config.unwrap().diagnostics else {
            panic!("not one line");
        };
        assert!(
            line.starts_with(&format!(
                "these settings have no effect on the forwarder: \
                 OTEL_BSP_SCHEDULE_DELAY, OTEL_METRIC_EXPORT_INTERVAL, {histograms}; FG_OTLP_FLUSH"
            )) && !line.contains("secret"),
            "{line}"
        );
    }

    #[test]
    fn invalid_setting_of_our_own_is_an_error() {
        let trigger = |value| {
            let config = read(&[("FG_OTLP_TRIGGER", value)]);
            config.map(|config| config.resource.trigger)
        };
        assert_eq!(trigger("").unwrap(), None);
        assert_eq!(trigger("PubSub").unwrap(), Some("pubsub"));
        assert_eq!(
            trigger("apig").unwrap_err().to_string(),
            "cannot read FG_OTLP_TRIGGER from the environment: `apig` is not a type of trigger; \
             write `datasource`, `http`, `pubsub`, `timer` or `other`"
        );
        let own_metrics = |value| {
            let config = read(&[("FG_OTLP_OWN_METRICS", value)]);
            config.map(|config| config.own_metrics)
        };
        assert!(!own_metrics("").unwrap() && !own_metrics("false").unwrap());
        assert!(own_metrics("True").unwrap());
        assert_eq!(
            own_metrics("1").unwrap_err().to_string(),
            "cannot read FG_OTLP_OWN_METRICS from the environment: `1` is neither `true` nor `false`; \
             write `true` or `false`"
        );
    }
}
