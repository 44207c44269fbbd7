//! The order in which crates are published: each after its dependencies.

use serde_json::Value;

use crate::workspace::published;

/// Returns the names of the published packages, each after those that it depends on.
pub(super) fn publish_order(metadata: &Value) -> Vec<&str> {
    let mut left = published(metadata);
    let mut order = Vec::new();
    while !left.is_empty() {
        let names: Vec<_> = left.iter().map(|package| &package["name"]).collect();
        // Development dependencies count, too: cargo looks them up before it packages a crate.
        let is_ready = |package: &Value| {
            let mut dependencies = package["dependencies"].as_array().into_iter().flatten();
            dependencies.all(|it| it["name"] == package["name"] || !names.contains(&&it["name"]))
        };
        let (mut ready, mut later): (Vec<&Value>, Vec<&Value>) =
            left.iter().partition(|package| is_ready(package));
        if ready.is_empty() {
            // Cargo rejects cycles, except through development dependencies.
            ready.append(&mut later);
        }
        order.extend(ready.iter().filter_map(|package| package["name"].as_str()));
        left = later;
    }
    order
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::publish_order;

    fn package(name: &str, dependencies: &[&str]) -> Value {
        let dependencies: Vec<_> = dependencies
            .iter()
            .map(|name| json!({"name": name}))
            .collect();
        json!({"name": name, "publish": null, "dependencies": dependencies})
    }

    #[test]
    fn dependencies_come_first() {
        let metadata = json!({"packages": [
            package("a", &["b", "c", "serde"]),
            package("b", &["c", "b"]),
            package("c", &[]),
            {"name": "private", "publish": [], "dependencies": []},
        ]});
        assert_eq!(publish_order(&metadata), ["c", "b", "a"]);
        // A cycle through development dependencies.
        let metadata =
            json!({"packages": [package("a", &["b"]), package("b", &["a"]), package("c", &[])]});
        assert_eq!(publish_order(&metadata), ["c", "a", "b"]);
    }
}
