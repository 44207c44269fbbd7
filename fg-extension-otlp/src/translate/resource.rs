//! The resource: the function and the instance that the telemetry belongs to.

use fg_extension::FunctionUrn;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::Value;

use super::FunctionInfo;
use super::any_value::attribute;
use crate::config::ResourceConfig;

/// The version of the semantic conventions that our attributes and metrics follow.
pub(crate) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Returns the resource for the function's instance, according to the [semantic conventions][1]. The user's attributes
/// take precedence.
///
/// The conventions define no values for Huawei Cloud, so the values here follow the pattern of the other providers.
/// `telemetry.sdk.*` is left out: it would say that the function has an SDK, in our language.
///
/// [1]: https://opentelemetry.io/docs/specs/semconv/resource/faas/
pub(super) fn resource(
    function: &FunctionInfo,
    urn: Option<&FunctionUrn>,
    config: &ResourceConfig,
    instance_id: &str,
) -> Resource {
    let name = function.name.as_deref().or_else(|| urn?.name());
    let version = function.version.as_deref().or_else(|| urn?.version());
    // The public form of a URN contains the project, the internal form the tenant (D 2707).
    let owner = urn.and_then(FunctionUrn::project);
    let is_public = urn.is_some_and(|urn| urn.as_str().starts_with("urn:fss:"));
    let (project, tenant) = match is_public {
        true => (owner, None),
        false => (None, owner),
    };
    let project = project.or(function.project_id.as_deref());
    let memory = function.memory_mb.map(|mb| mb.saturating_mul(1024 * 1024));

    let found: [(&str, Option<Value>); 12] = [
        // The specification defines `unknown_service` for a service without a name.
        (
            "service.name",
            Some(name.unwrap_or("unknown_service").into()),
        ),
        ("service.instance.id", Some(instance_id.into())),
        ("service.version", version.map(Value::from)),
        ("faas.name", name.map(Value::from)),
        ("faas.version", version.map(Value::from)),
        ("faas.instance", Some(instance_id.into())),
        ("faas.max_memory", memory.map(Value::from)),
        ("cloud.provider", Some("huawei_cloud".into())),
        ("cloud.platform", Some("huawei_cloud_functiongraph".into())),
        (
            "cloud.region",
            urn.and_then(FunctionUrn::region).map(Value::from),
        ),
        ("cloud.account.id", tenant.map(Value::from)),
        ("functiongraph.project.id", project.map(Value::from)),
    ];
    let mut all: Vec<(&str, Value)> = found
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect();
    let overrides = config
        .attributes
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .chain(
            config
                .service_name
                .as_deref()
                .map(|name| ("service.name", name)),
        );
    for (key, value) in overrides {
        match all.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value.into(),
            None => all.push((key, value.into())),
        }
    }
    Resource {
        attributes: all
            .into_iter()
            .map(|(key, value)| attribute(key, value))
            .collect(),
        ..Resource::default()
    }
}
