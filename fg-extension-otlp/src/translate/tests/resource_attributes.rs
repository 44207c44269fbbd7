//! Tests of the attributes of the resource.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;

use super::super::Translator;
use super::{FunctionInfo, Harness, ID, ResourceConfig, URN, attribute, text};

fn function() -> FunctionInfo {
    FunctionInfo {
        name: Some("registered".into()),
        version: Some("$LATEST".into()),
        project_id: Some("0a1b".into()),
        memory_mb: Some(128),
    }
}

fn check(harness: &Harness, expected: &[(&str, &str)]) {
    let attributes = harness.translator.resource().attributes;
    for (key, value) in expected {
        assert_eq!(attribute(&attributes, key), Some(&text(value)), "{key}");
    }
}

#[test]
fn resource_describes_the_function() {
    let harness = Harness::with(function(), ResourceConfig::default());
    check(&harness, &[("functiongraph.project.id", "0a1b")]);
    let attributes = harness.translator.resource().attributes;
    assert_eq!(attribute(&attributes, "cloud.region"), None);
    assert_eq!(
        attribute(&attributes, "faas.max_memory"),
        Some(&Any::IntValue(134_217_728))
    );

    let mut harness = Harness::with(function(), ResourceConfig::default());
    harness.invoked(ID, URN);
    check(
        &harness,
        &[
            ("service.name", "registered"),
            ("service.version", "$LATEST"),
            ("service.instance.id", "instance"),
            ("faas.name", "registered"),
            ("faas.version", "$LATEST"),
            ("faas.instance", "instance"),
            ("cloud.provider", "huawei_cloud"),
            ("cloud.platform", "huawei_cloud_functiongraph"),
            ("cloud.region", "cn-north-4"),
            ("functiongraph.project.id", "0a1b"),
        ],
    );
    // The project must not be reported as an account.
    let attributes = harness.translator.resource().attributes;
    assert_eq!(attribute(&attributes, "cloud.account.id"), None);
    // The forwarder is not the SDK of the function.
    assert!(
        attributes
            .iter()
            .all(|attribute| !attribute.key.starts_with("telemetry."))
    );
}

#[test]
fn resource_stays_as_it_was_first_sent() {
    let mut harness = Harness::new();
    let first = harness.translator.resource();
    harness.invoked(ID, URN);
    assert_eq!(harness.translator.resource(), first);
    assert_eq!(attribute(&first.attributes, "cloud.region"), None);
}

#[test]
fn urn_supplies_missing_attributes() {
    let harness = Harness::new();
    check(&harness, &[("service.name", "unknown_service")]);
    let attributes = harness.translator.resource().attributes;
    for key in [
        "faas.name",
        "faas.version",
        "faas.max_memory",
        "cloud.account.id",
        "functiongraph.project.id",
    ] {
        assert_eq!(attribute(&attributes, key), None, "{key}");
    }
    let mut harness = Harness::new();
    harness.invoked(ID, "sn:cn:yrk:1111:function:0@test@hello:latest");
    check(
        &harness,
        &[
            ("service.name", "hello"),
            ("faas.version", "latest"),
            ("cloud.region", "cn"),
            ("cloud.account.id", "1111"),
        ],
    );
    let attributes = harness.translator.resource().attributes;
    assert_eq!(attribute(&attributes, "functiongraph.project.id"), None);
}

#[test]
fn user_attributes_take_precedence() {
    let attributes = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect()
    };
    let mut config = ResourceConfig {
        trigger: None,
        service_name: Some(String::new()),
        attributes: attributes(&[
            ("service.name", "mine"),
            ("cloud.region", "here"),
            ("team", "a"),
            ("team", "b"),
        ]),
    };
    let mut harness = Harness::with(function(), config.clone());
    harness.invoked(ID, URN);
    let expected = [
        ("service.name", "mine"),
        ("cloud.region", "here"),
        ("team", "b"),
    ];
    check(&harness, &expected);

    config.service_name = Some("first".into());
    let harness = Harness::with(function(), config);
    check(
        &harness,
        &[("service.name", "first"), ("faas.name", "registered")],
    );
}

#[test]
fn scope_is_this_crate() {
    let scope = Translator::scope();
    assert_eq!(scope.name, "fg-extension-otlp");
    assert_eq!(scope.version, env!("CARGO_PKG_VERSION"));
}
