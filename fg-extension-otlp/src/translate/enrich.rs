//! Completes the resource of data that was received from the function.

use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// Adds the attributes of our resource that a resource of the function lacks.
///
/// The function's attributes are kept, except for the name that an SDK makes up (`unknown_service:python`). Ours describe
/// the same instance, so that a backend can tell the instances of a function apart. Our version is that of the function,
/// so it is only added if the name of the service is ours, too.
pub(crate) fn enrich(mut received: Resource, own: &Resource) -> Resource {
    received
        .attributes
        .retain(|attribute| !is_made_up(attribute));
    let own_name = own.attributes.iter().find(|own| own.key == "service.name");
    let has_other_name = received
        .attributes
        .iter()
        .any(|received| received.key == "service.name" && Some(received) != own_name);
    let missing = own.attributes.iter().filter(|own| {
        let is_same = |received: &KeyValue| received.key == own.key;
        let is_about_other = has_other_name && own.key == "service.version";
        !is_about_other && !received.attributes.iter().any(is_same)
    });
    received
        .attributes
        .extend(missing.cloned().collect::<Vec<_>>());
    received
}

/// Returns whether the attribute is the name that an SDK gives a service without a name.
fn is_made_up(attribute: &KeyValue) -> bool {
    let value = attribute.value.as_ref().and_then(|it| it.value.as_ref());
    let Some(any_value::Value::StringValue(name)) = value else {
        return false;
    };
    attribute.key == "service.name"
        && (name == "unknown_service" || name.starts_with("unknown_service:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::any_value::attribute;

    fn resource(attributes: &[(&str, &str)]) -> Resource {
        let attributes = attributes.iter();
        Resource {
            attributes: attributes
                .map(|(key, value)| attribute(*key, *value))
                .collect(),
            ..Resource::default()
        }
    }

    #[test]
    fn resource_of_the_function_gains_what_it_lacks() {
        let own = resource(&[
            ("service.name", "hello"),
            ("service.instance.id", "1"),
            ("service.version", "v1"),
            ("faas.name", "hello"),
            ("cloud.region", "cn-north-4"),
        ]);
        let rest = [
            ("service.instance.id", "1"),
            ("faas.name", "hello"),
            ("cloud.region", "cn-north-4"),
        ];
        let named = |name| {
            let mut all = vec![("service.name", name)];
            all.extend(rest);
            resource(&all)
        };
        let orders = resource(&[("service.name", "orders")]);
        assert_eq!(enrich(orders, &own), named("orders"));
        let unknown = resource(&[("service.name", "unknown_services")]);
        assert_eq!(enrich(unknown, &own), named("unknown_services"));
        for made_up in [
            &[][..],
            &[("service.name", "unknown_service")],
            &[("service.name", "unknown_service:python")],
        ] {
            assert_eq!(enrich(resource(made_up), &own), own);
        }
        let same = resource(&[("service.name", "hello"), ("cloud.region", "mine")]);
        assert_eq!(
            enrich(same, &own),
            resource(&[
                ("service.name", "hello"),
                ("cloud.region", "mine"),
                ("service.instance.id", "1"),
                ("service.version", "v1"),
                ("faas.name", "hello"),
            ])
        );
        assert_eq!(enrich(own.clone(), &own), own);
    }
}
